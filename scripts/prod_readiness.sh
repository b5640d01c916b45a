#!/usr/bin/env bash
# The gate before a version goes to production: every promise that operators rely on, shown once with
# real processes, and a table of how each went. All parts run, also after one has failed. A part whose
# test is not there counts as missing and closes the gate as well, and a test that is skipped for want of a
# program is listed below the table: nothing is passed over in silence.
set -uo pipefail
source "$(dirname "$0")/node.sh"

source scripts/parts.sh

# What is missing after this is told by the parts that need it.
bash scripts/chaos-tools.sh || echo "some programs of the fault tests are missing" >&2
bash scripts/store-tools.sh || echo "the S3 service of the tests is missing" >&2
bash scripts/web-tools.sh || echo "some programs of the tests of page and screen are missing" >&2

demo2() {
  MX8_TOTAL_SAMPLES=12000 MX8_DEV_BLOCK_SIZE=1000 MX8_SINK_SLEEP_MS=25 MX8_KILL_AFTER_MS=500 \
    node bin/mx8.js demo2
}

part "static checks and unit tests" scripts/check.sh bash scripts/check.sh
part "lease recovery: kill -9 of a node (demo2)" src/cli/commands/demo2.ts demo2
part "state: replay, snapshot and log agree" test/scenarios.test.ts \
  node --test test/scenarios.test.ts src/core/job/coordinator.test.ts src/log/log.test.ts
part "coordinator: kill -9, restart, go on" $integration/coordinator-kill.test.ts \
  tests $integration/coordinator-kill.test.ts .
part "memory: a cap that is too small fails fast" $integration/loader-process.test.ts \
  tests $integration/loader-process.test.ts process_rss_cap_fails_fast_when_too_small
part "memory: a worker over its cap ends the job" $integration/agent-failures.test.ts \
  tests $integration/agent-failures.test.ts 'memory cap'
part "jitter guard: uneven batches are told" $integration/agent-job.test.ts \
  tests $integration/agent-job.test.ts jitter_guard
part "resume: Ctrl-C and kill -9 of a whole run" $integration/run.test.ts \
  tests $integration/run.test.ts 'resume'
part "agents: kill -9 of workers and of an agent" $integration/agent-kills.test.ts \
  tests $integration/agent-kills.test.ts 'killed'
part "no overlap, no loss: everything killed at once" $integration/exactly-once.test.ts \
  tests $integration/exactly-once.test.ts .
part "packed data survive a killed packer" $integration/snapshots.test.ts \
  tests $integration/snapshots.test.ts .
part "fencing: who lost the lead writes nothing" src/log/conformance.ts \
  node --test src/log/log.test.ts src/log/election.test.ts src/core/lead/candidate.test.ts
part "fail-over continuity: invisible to a job" $integration/failover.test.ts \
  tests $integration/failover.test.ts .
part "no overlap: 8 agents, leaders killed repeatedly" $integration/repeated-kills.test.ts \
  tests $integration/repeated-kills.test.ts .
part "random faults on real processes" $integration/chaos.test.ts \
  tests $integration/chaos.test.ts 'one machine'
part "page: running, stalled, failed, failed over" $integration/page.test.ts \
  tests $integration/page.test.ts .
part "screen: tui, and headless with its exit codes" $integration/tui.test.ts \
  tests $integration/tui.test.ts .
part "page of a run" $integration/run-page.test.ts \
  tests $integration/run-page.test.ts .
part "manifest healing: replica, own store, hash checked" $integration/manifest-healing.test.ts \
  tests $integration/manifest-healing.test.ts .
part "metrics: every counter, promtool, probes" $integration/metrics.test.ts \
  tests $integration/metrics.test.ts .
part "alerts and dashboard name what is exposed" $integration/ops.test.ts \
  tests $integration/ops.test.ts .
part "runbook: each symptom caused, each command typed" $integration/runbook.test.ts \
  tests $integration/runbook.test.ts .
part "backup: a job goes on from one" $integration/operations.test.ts \
  tests $integration/operations.test.ts .
part "memory pressure: an agent turns itself down" $integration/memory-pressure.test.ts \
  tests $integration/memory-pressure.test.ts .
part "slow node: relieved, nothing committed twice" $integration/slow-node.test.ts \
  tests $integration/slow-node.test.ts .
part "traces: a lease is one over three processes" $integration/traces.test.ts \
  tests $integration/traces.test.ts .
part "formats of samples, read and refused" $integration/formats.test.ts \
  tests $integration/formats.test.ts .
part "data sets in stores" $integration/store-data-sets.test.ts \
  tests $integration/store-data-sets.test.ts .
part "v0 clients: contract and status codes" $integration/coordinator-v0.test.ts \
  tests $integration/coordinator-v0.test.ts .

finish_parts "every part went well"
