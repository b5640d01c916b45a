#!/usr/bin/env bash
# The acceptance gates of docs/ha_contract.md as one command, with real processes and a table at the end.
# A part whose test is missing closes the gate as well. With --long the random faults run for ten minutes.
set -uo pipefail
source "$(dirname "$0")/node.sh"
source scripts/parts.sh

minutes=1
[ "${1:-}" = --long ] && minutes=10

bash scripts/chaos-tools.sh
bash scripts/etcd.sh || echo "without etcd its parts fail" >&2

chaos() {
  node test/chaos/main.ts --minutes "$minutes" --seed 11 --state "$1"
}

part "fencing: the log refuses who lost the lead" src/log/conformance.ts \
  node --test src/log/log.test.ts src/log/election.test.ts src/core/lead/candidate.test.ts
part "fencing: crash points of every store call" src/log/slot-crash-points.test.ts \
  node --test src/log/slot-crash-points.test.ts test/integration/sqlite-crash-points.test.ts
part "continuity: kill -9, SIGTERM, rolling restart" $integration/failover.test.ts \
  tests $integration/failover.test.ts 'invisible to a job'
part "continuity: paused leaders" $integration/failover.test.ts \
  tests $integration/failover.test.ts 'paused'
part "continuity: etcd and its own leader killed" $integration/etcd-fail-over.test.ts \
  tests $integration/etcd-fail-over.test.ts .
part "restart: what was answered is there" $integration/coordinator-kill.test.ts \
  tests $integration/coordinator-kill.test.ts .
part "standby: reads, refusals, screens, bad set-ups" $integration/standby.test.ts \
  tests $integration/standby.test.ts .
part "bad set-ups of etcd are refused" $integration/etcd-state.test.ts \
  tests $integration/etcd-state.test.ts refused
part "no overlap: 8 agents, leaders killed again and again" $integration/repeated-kills.test.ts \
  tests $integration/repeated-kills.test.ts .
part "random faults for $minutes min, one machine" test/chaos/main.ts chaos sqlite
part "random faults for $minutes min, etcd" test/chaos/main.ts chaos etcd3
part "figures: fail-over within its bars" bench/failover.bench.ts \
  node bench/main.ts failover --check

finish_parts "the contract holds"
