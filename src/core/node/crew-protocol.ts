/** What goes into and comes out of the supervision of worker processes (`crew.ts`), as data. */
import type { ErrorCode } from '../base/errors.ts';
import type { SampleRange } from '../base/range.ts';
import type { LeaseId } from '../base/units.ts';
import type { Lease } from '../job/protocol.ts';
import type { NodeFact, StagedPiece } from './holder-protocol.ts';

/** A sample that is not to be processed: it ended the worker each time it was tried. */
export interface PoisonedSample {
  readonly sampleId: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** One go at the rest of a lease in one worker. */
export interface WorkOrder {
  /** Names this go in every message about it; late messages of earlier goes are told by it. */
  readonly workId: number;
  readonly leaseId: LeaseId;
  readonly start: number;
  readonly end: number;
  /** 0 for the first go at this lease. */
  readonly attempt: number;
  /** Samples to be processed one at a time, each staged before the next. */
  readonly singly: SampleRange | null;
  readonly poisoned: readonly PoisonedSample[];
}

export interface WorkerEnd {
  readonly code: ErrorCode;
  /** What is known of the end, with the worker's last words. */
  readonly message: string;
}

export type CrewEvent =
  // From the lease holder.
  | { readonly type: 'lease_started'; readonly lease: Lease }
  | { readonly type: 'lease_gone'; readonly leaseId: LeaseId }
  | { readonly type: 'lease_shortened'; readonly leaseId: LeaseId; readonly end: number }
  // From the agent.
  /** Finish the batch in hand, stage it, and give every lease back. */
  | { readonly type: 'wind_down' }
  | { readonly type: 'tick' }
  // From the workers. `incarnation` tells a worker from its predecessor in the same slot.
  | { readonly type: 'worker_ready'; readonly slot: number; readonly incarnation: number }
  | {
      readonly type: 'worker_exited';
      readonly slot: number;
      readonly incarnation: number;
      readonly end: WorkerEnd;
    }
  /** The worker is about to call process() with samples [start, end). */
  | {
      readonly type: 'batch_begun';
      readonly workId: number;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly type: 'batch_done';
      readonly workId: number;
      readonly cursor: number;
      readonly samples: number;
      readonly bytes: number;
    }
  | { readonly type: 'piece_staged'; readonly workId: number; readonly piece: StagedPiece }
  /** The worker is done with the order: at its end, or because it was told to stop. */
  | { readonly type: 'work_done'; readonly workId: number }
  /**
   * The job cannot go on in any worker: the module is broken, a sample failed for good, … With the
   * order it happened in, if it was in one; the worker still says `work_done` for that.
   */
  | {
      readonly type: 'worker_failed';
      readonly slot: number;
      readonly incarnation: number;
      readonly workId: number | null;
      readonly end: WorkerEnd;
    };

export type CrewEffect =
  | { readonly type: 'spawn'; readonly slot: number; readonly incarnation: number }
  /** SIGKILL; `worker_exited` follows. */
  | { readonly type: 'kill'; readonly slot: number; readonly incarnation: number }
  | { readonly type: 'start_work'; readonly slot: number; readonly order: WorkOrder }
  /** `flush`: stage what is done first. Otherwise nothing more of it counts. */
  | {
      readonly type: 'stop_work';
      readonly slot: number;
      readonly workId: number;
      readonly flush: boolean;
    }
  // To the lease holder.
  | {
      readonly type: 'delivered';
      readonly leaseId: LeaseId;
      readonly cursor: number;
      readonly samples: number;
      readonly bytes: number;
    }
  | { readonly type: 'piece_staged'; readonly piece: StagedPiece }
  | { readonly type: 'release'; readonly leaseId: LeaseId }
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly message: string }
  | NodeFact;
