/** What a coordinator's page is drawn from, for tests of what it makes of it. */
import { jobId, manifestHash, monoMs, nodeId, unixMs } from '../../src/core/base/units.ts';
import { emptyState, jobDigest, type JobDigest, step } from '../../src/core/job/coordinator.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import type { Command, JobSpec } from '../../src/core/job/protocol.ts';
import { TEST_CAPS, testSpec } from '../../src/testing/index.ts';
import { lookAtDigest, NO_DIGESTS } from '../../src/view/digest-view.ts';
import type { Seen } from '../../src/web/look-cache.ts';
import type { CoordinatorView } from '../../src/ports/coordinator-client.ts';

export const SEEN_LIMITS = { staleHeartbeatMs: 5000, leaseStallMs: 10_000 };
const JOB = jobId('job');

/** A job of 100 samples in blocks of 10 with nodes that registered at 1000 and hold a lease each. */
export function digestAt(nowMs: number, nodes: number, spec: Partial<JobSpec> = {}): JobDigest {
  const state = emptyState();
  let seq = 0;
  const perform = (command: Command): void => {
    seq += 1;
    const time = { nowMs: monoMs(1000), nowUnixMs: 0 };
    step(state, command, { ...time, epoch: 1, seq, nextIndex: 0, relief: 'off' });
  };
  const made = testSpec(manifestHash('0'.repeat(64)), { worldSize: nodes, ...spec });
  perform({ type: 'create_job', spec: made });
  for (let index = 0; index < nodes; index += 1) {
    const node = { jobId: JOB, nodeId: nodeId(`node-${index}`), instanceId: 'i' };
    perform({ type: 'register', ...node, caps: TEST_CAPS, resumeFrom: new Uint8Array(0) });
    perform({ type: 'heartbeat', ...node, stats: IDLE_STATS, sentAtUnixMs: 0 });
    perform({ type: 'request_lease', ...node, want: 1, held: [] });
  }
  const job = state.jobs.get(JOB);
  if (job === undefined) throw new Error('the job was created');
  return jobDigest(job, monoMs(nowMs), { leaseStallMs: SEEN_LIMITS.leaseStallMs, cells: 10 });
}

export function seenAt(
  nowMs: number,
  digests: readonly JobDigest[],
  view: Partial<CoordinatorView> = {},
): Seen {
  const atMs = monoMs(nowMs);
  return {
    costMs: 1,
    look: {
      atMs,
      atUnixMs: unixMs(1_700_000_000_000),
      jobs: digests,
      view: {
        role: 'leader',
        who: 'a',
        address: 'h1:1',
        webUrl: null,
        leader: { who: 'a', address: 'h1:1' },
        epoch: 1,
        appliedSeq: 9,
        tailSeq: 9,
        leadsSinceUnixMs: 1,
        serverUnixMs: 1,
        version: '1.2.3',
        candidates: [
          { who: 'a', address: 'h1:1', appliedSeq: 9 },
          { who: 'b', address: 'h2:1', appliedSeq: 4 },
        ],
        storeError: '',
        ...view,
      },
    },
    jobs: digests.map((digest) => ({
      digest,
      nodeRates: new Map([['node-0', 12.345]]),
      view: lookAtDigest(digest, atMs, NO_DIGESTS, SEEN_LIMITS).view,
    })),
  };
}
