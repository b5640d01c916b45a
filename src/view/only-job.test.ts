import assert from 'node:assert/strict';
import test from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { jobId, manifestHash } from '../core/base/units.ts';
import type { JobPhase, JobSnapshot } from '../core/job/protocol.ts';
import { testSpec } from '../testing/test-coordinator.ts';
import { onlyJob } from './only-job.ts';

function job(name: string, phase: JobPhase): Pick<JobSnapshot, 'spec' | 'phase'> {
  const spec = testSpec(manifestHash('0'.repeat(64)), { jobId: jobId(name) });
  return { spec, phase };
}

test('the only job is meant, complete or not, and none where there is none', () => {
  assert.equal(onlyJob([]), null);
  assert.equal(onlyJob([job('a', 'completed')]), 'a');
});

test('among completed jobs the one that is left is meant', () => {
  const jobs = [job('a', 'completed'), job('b', 'failed'), job('c', 'completed')];
  assert.equal(onlyJob(jobs), 'b');
});

test('of several it says which there are, those that are left and the latest first, and how many more', () => {
  const completed = Array.from({ length: 20 }, (_, index) => job(`j${index}`, 'completed'));
  const jobs = [job('x', 'running'), ...completed, job('y', 'draining')];
  assert.throws(
    () => onlyJob(jobs),
    (error) =>
      error instanceof Mx8Error &&
      error.message ===
        'the coordinator runs several jobs: x, y, j19, j18, j17, j16, j15, j14, j13, j12 and 12 more; name one with --job-id',
  );
});
