/** The job that is meant where none is named: the only one, or the only one that is not complete. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId } from '../core/base/units.ts';
import type { JobSnapshot } from '../core/job/protocol.ts';

/** A line on a screen. */
const NAMED_MAX = 10;

/** Null where there is none; throws where nobody can know which one is meant. */
export function onlyJob(jobs: readonly Pick<JobSnapshot, 'spec' | 'phase'>[]): JobId | null {
  const [first, second] = jobs;
  if (first === undefined) return null;
  if (second === undefined) return first.spec.jobId;
  const left = jobs.filter(({ phase }) => phase !== 'completed');
  const [unfinished, another] = left;
  if (unfinished !== undefined && another === undefined) return unfinished.spec.jobId;
  // They stand in the order of their creation: of those that are complete the latest first.
  const completed = jobs.filter(({ phase }) => phase === 'completed').reverse();
  const ids = [...left, ...completed].map((job) => job.spec.jobId);
  const more = ids.length - NAMED_MAX;
  const named = ids.slice(0, NAMED_MAX).join(', ');
  throw new Mx8Error(
    'job_unknown',
    `the coordinator runs several jobs: ${named}${more > 0 ? ` and ${more} more` : ''}; name one with --job-id`,
  );
}
