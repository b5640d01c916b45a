#!/usr/bin/env bash
# Everything that must hold before a change lands: the quick checks, the tests that start real
# processes and servers, the example, and the package as a user installs it.
set -euo pipefail
source "$(dirname "$0")/node.sh"
source scripts/steps.sh

step "tools of fault tests" bash scripts/chaos-tools.sh
step check bash scripts/check.sh
step "etcd for the tests" bash scripts/etcd.sh
step "Chromium and promtool for the tests" bash scripts/web-tools.sh
step "services of object stores for the tests" bash scripts/store-tools.sh
step "integration tests" node scripts/integration-tests.ts
step "search of the log protocol" node test/search/main.ts
step "simulator: seeds that failed once" node test/sim/main.ts --regressions
step "simulator: 20,000 worlds" node test/sim/main.ts --seeds 20000
if [ -n "${MX8_OTHER_NODE:-}" ]; then
  step "simulator: the same worlds on another Node" \
    node test/sim/main.ts --seeds 300 --same-on "$MX8_OTHER_NODE"
fi
step "simulator: a sample of known bugs" node test/sim/mutations-main.ts --sample 3
step example bash scripts/start.sh
finish
