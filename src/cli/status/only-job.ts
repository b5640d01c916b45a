/** The job that is meant where none is named. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';

export function onlyJob(jobs: readonly JobSnapshot[]): JobId {
  const [first, second] = jobs;
  if (first === undefined) {
    throw new Mx8Error('job_unknown', 'the coordinator runs no job; submit one with mx8 submit');
  }
  if (second !== undefined) {
    const ids = jobs.map((job) => job.spec.jobId).join(', ');
    throw new Mx8Error(
      'job_unknown',
      `the coordinator runs several jobs: ${ids}; name one with --job-id`,
    );
  }
  return first.spec.jobId;
}
