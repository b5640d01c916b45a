/** The end of a job that has one. */
import type { ManifestHash } from '../base/units.ts';
import type { JobState } from './job-state.ts';
import type { Transaction } from './transaction.ts';

/** `outputManifestHash`: null where the job has no outputs, or its sink makes no manifest. */
export function complete(
  tx: Transaction,
  job: JobState,
  outputManifestHash: ManifestHash | null,
): void {
  const { jobId } = job.spec;
  const atUnixMs = tx.context.nowUnixMs;
  tx.emit({ type: 'job_completed', job: jobId, outputManifestHash, atUnixMs });
  tx.fact({ event: 'job_completed', jobId, outputManifestHash });
}
