import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { emptyState, step } from './coordinator.ts';
import { FINISHED_OF_COMPLETED_MAX } from './job-state.ts';
import type { Command, Lease } from './protocol.ts';

const JOB = jobId('job');
const FROM = { jobId: JOB, nodeId: nodeId('n1'), instanceId: 'p1' };
const BLOCKS = FINISHED_OF_COMPLETED_MAX + 500;
const caps = {
  ...{ maxFetchConcurrency: 1, maxDecodeConcurrency: 1 },
  ...{ maxInflightBytes: 1, maxRamBytes: 1 },
};

test('a completed job remembers its last leases only: their repeats are still answered', () => {
  const state = emptyState();
  let seq = 0;
  const ask = (command: Command): ReturnType<typeof step>['reply'] => {
    seq += 1;
    const at = { epoch: 1, seq, nextIndex: 0, nowMs: monoMs(seq), nowUnixMs: 0 };
    return step(state, command, { ...at, relief: 'off' }).reply;
  };
  ask({
    type: 'create_job',
    spec: {
      ...{ jobId: JOB, manifestHash: manifestHash('ab'.repeat(32)), sampleCount: BLOCKS },
      ...{ blockSize: 1, worldSize: 1, minWorldSize: 1, shuffle: false, seed: 0n, epoch: 0 },
      ...{ leaseTtlMs: 600_000, heartbeatIntervalMs: 1000, commitsOutputs: false },
      adoptsFirstJobId: false,
    },
  });
  ask({ type: 'register', ...FROM, caps, resumeFrom: new Uint8Array(0) });
  const done: Lease[] = [];
  const report = ({ leaseId, range }: Lease): ReturnType<typeof ask> =>
    ask({
      ...{ type: 'progress', ...FROM, leaseId, cursor: range.end },
      ...{ deliveredSamples: 1, deliveredBytes: 1 },
    });
  for (let block = 0; block < BLOCKS; block += 1) {
    const reply = ask({ type: 'request_lease', ...FROM, want: 1, held: [] });
    assert(reply.type === 'leases');
    for (const lease of reply.leases) {
      report(lease);
      done.push(lease);
    }
  }
  const job = state.jobs.get(JOB);
  assert.equal(job?.phase, 'completed');
  assert.equal(job.finished.size, FINISHED_OF_COMPLETED_MAX);
  const [first, last] = [done[0], done.at(-1)];
  assert(first && last);
  assert.deepEqual([report(last).type, report(first).type], ['accepted', 'refused']);
});
