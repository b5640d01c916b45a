import type { JobShape } from './job-shape.ts';
import type { ReadJob } from './read-job.ts';
import type { FilledSlab } from './reader-threads.ts';

/** A job that nobody reads yet, and who is told of its end. */
export interface WaitingJob {
  readonly job: ReadJob;
  readonly shape: JobShape;
  readonly slab: ArrayBuffer;
  /** Whether its files are known to be on disks of this machine. */
  isHere: boolean;
  readonly resolve: (filled: FilledSlab) => void;
  readonly reject: (error: unknown) => void;
}
