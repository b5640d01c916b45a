#!/usr/bin/env bash
# The gate before a version goes to production: every promise that operators rely on, shown once with
# real processes, and a table of how each went. All parts run, also after one has failed. A part whose
# test is not there counts as missing and closes the gate as well: nothing is passed over in silence.
set -uo pipefail
source "$(dirname "$0")/node.sh"

logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
rows=()
closed=0

# part NAME FILE COMMAND…: runs the command if FILE, which holds the feature or its test, is there.
part() {
  local name="$1" file="$2" begun=$SECONDS result
  shift 2
  local log="$logs/${#rows[@]}"
  printf '▸ %s\n' "$name"
  if [ ! -e "$file" ]; then
    result="MISSING ($file is not there)"
  elif "$@" >"$log" 2>&1; then
    result=ok
  else
    result=FAILED
    tail -n 60 "$log"
  fi
  [ "$result" = ok ] || closed=1
  rows+=("$(printf '%-46s %6ss  %s' "$name" "$((SECONDS - begun))" "$result")")
}

# tests FILE PATTERN: the tests of that file whose name matches; none at all is a failure.
tests() {
  local out
  out="$(node --test --test-reporter=spec --disable-warning=ExperimentalWarning \
    --test-name-pattern="$2" "$1" 2>&1)"
  local code=$?
  printf '%s\n' "$out"
  if ! grep -Eq '^ℹ pass [1-9]' <<<"$out"; then
    echo "no test of $1 matches $2"
    return 1
  fi
  return "$code"
}

demo2() {
  MX8_TOTAL_SAMPLES=12000 MX8_DEV_BLOCK_SIZE=1000 MX8_SINK_SLEEP_MS=25 MX8_KILL_AFTER_MS=500 \
    node bin/mx8.js demo2
}

integration=test/integration
part "static checks and unit tests" scripts/check.sh bash scripts/check.sh
part "lease recovery: kill -9 of a node (demo2)" src/cli/commands/demo2.ts demo2
part "state: replay, snapshot and log agree" test/scenarios.test.ts \
  node --test test/scenarios.test.ts src/core/job/coordinator.test.ts src/log/log.test.ts
part "coordinator: kill -9, restart, go on" $integration/coordinator-kill.test.ts \
  tests $integration/coordinator-kill.test.ts .
part "memory: a cap that is too small fails fast" $integration/loader.test.ts \
  tests $integration/loader.test.ts process_rss_cap_fails_fast_when_too_small
part "memory: a worker over its cap ends the job" $integration/agent-failures.test.ts \
  tests $integration/agent-failures.test.ts 'memory cap'
part "resume: Ctrl-C and kill -9 of a whole run" $integration/run.test.ts \
  tests $integration/run.test.ts 'resume'
part "agents: kill -9 of workers and of an agent" $integration/agent-kills.test.ts \
  tests $integration/agent-kills.test.ts 'killed'
part "no overlap, no loss: everything killed at once" $integration/exactly-once.test.ts \
  tests $integration/exactly-once.test.ts .
part "packed data survive a killed packer" $integration/snapshots.test.ts \
  tests $integration/snapshots.test.ts .
part "v0 clients: contract and status codes" $integration/coordinator-v0.test.ts \
  tests $integration/coordinator-v0.test.ts .

printf '\n%-46s %7s  %s\n' part time result
printf '%s\n' "${rows[@]}"
if [ "$closed" = 0 ]; then
  printf '\nready: every part went well\n'
else
  printf '\nNOT ready: see above\n'
fi
exit "$closed"
