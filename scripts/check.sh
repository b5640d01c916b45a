#!/usr/bin/env bash
# Everything that can be checked in seconds: types, lint, format, house rules, unit tests.
set -euo pipefail
source "$(dirname "$0")/node.sh"
source scripts/steps.sh

step types tsc --noEmit
step "types of examples" tsc --noEmit -p examples
step "types of the page" tsc --noEmit -p src/page
step lint oxlint --type-aware --deny-warnings
step format prettier --check --log-level warn .
step "unit tests and house rules" \
  node --test --test-concurrency="$(nproc)" --disable-warning=ExperimentalWarning \
  "src/**/*.test.ts" "test/*.test.ts" "examples/**/*.test.ts"
finish
