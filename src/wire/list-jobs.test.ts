import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId, manifestHash, monoMs } from '../core/base/units.ts';
import { emptyState, step } from '../core/job/coordinator.ts';
import type { Command, Reply } from '../core/job/protocol.ts';
import { testSpec } from '../testing/test-coordinator.ts';
import { listJobs } from './list-jobs.ts';

test('a job that is forgotten while the others are looked at is left out', async () => {
  const state = emptyState();
  const position = { epoch: 1, seq: 1, nextIndex: 0 };
  const submit = (command: Command): Promise<Reply> => {
    const context = { nowMs: monoMs(0), nowUnixMs: 0, ...position, relief: 'off' as const };
    return Promise.resolve(step(state, command, context).reply);
  };
  const ids = ['a', 'b', 'c'].map(jobId);
  for (const id of ids) {
    const spec = testSpec(manifestHash('0'.repeat(64)), { jobId: id });
    await submit({ type: 'create_job', spec });
  }
  const jobIds = async (): Promise<typeof ids> => {
    const operation = { type: 'forget' } as const;
    await submit({ type: 'drain_job', jobId: jobId('b') });
    await submit({ type: 'operate', jobId: jobId('b'), operation, dryRun: false });
    return ids;
  };
  const jobs = await listJobs({ jobIds, submit });
  assert.deepEqual(
    jobs.map(({ spec }) => spec.jobId),
    ['a', 'c'],
  );
  const refuse = (): Promise<Reply> =>
    Promise.resolve({ type: 'refused', code: 'not_leader', message: 'elsewhere' });
  await assert.rejects(listJobs({ jobIds, submit: refuse }), { code: 'not_leader' });
});
