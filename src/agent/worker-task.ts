/** What a worker does with the batches of an order: run a job on them, or only deliver them. */
import type { WorkOrder } from '../core/node/crew-protocol.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import type { Mx8Error } from '../core/base/errors.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { SampleBatch } from '../pipeline/index.ts';

export interface OrderTask {
  /** Done with the batch when it resolves; throws when the job cannot go on. */
  take(batch: SampleBatch): Promise<void>;
  /** Asked for each sample before it is read: true for one that is not to be tried any more. */
  leavesOut(record: SampleRecord): boolean;
  /** Asked for each sample that cannot be read. */
  onSampleError(record: SampleRecord, error: Mx8Error): 'fail' | 'skip';
  /** True when what was taken has waited long enough for its commit. */
  readonly isDue: boolean;
  /** Stages everything below `cursor`; null when there is nothing to stage. */
  stage(cursor: number): Promise<StagedPiece | null>;
  /** Throws away what is not staged. */
  abort(): Promise<void>;
}

export interface WorkerTask {
  readonly batchSize: number;
  /** Kind of the job's sink; null when nothing is staged. */
  readonly sinkKind: string | null;
  /** The link that the job module names; null where it names none. */
  readonly input: string | null;
  begin(order: WorkOrder, signal: AbortSignal): OrderTask;
}
