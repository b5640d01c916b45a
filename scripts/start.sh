#!/usr/bin/env bash
# `npm start`: the example job on real input.
set -euo pipefail
source "$(dirname "$0")/node.sh"
exec node examples/corpus/start.ts "$@"
