/** The job that an operator means who names none. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import { onlyJob as onlyJobOf } from '../../view/only-job.ts';

export function onlyJob(jobs: readonly JobSnapshot[]): JobId {
  const job = onlyJobOf(jobs);
  if (job !== null) return job;
  throw new Mx8Error('job_unknown', 'the coordinator runs no job; submit one with mx8 submit');
}
