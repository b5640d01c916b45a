/** What the owner of a reader thread and the thread say to each other. */
import type { ReadJob, ReadResult } from './read-job.ts';

export interface ReaderThreadData {
  readonly kind: 'mx8-reader';
  /** One 32-bit cell; not 0: stop at the next file. */
  readonly cancel: SharedArrayBuffer;
}

/** The slab's memory moves to the thread with the message, and back with the answer. */
export type ToReader =
  | {
      readonly type: 'fill';
      readonly id: number;
      readonly job: ReadJob;
      readonly slab: ArrayBuffer;
      /** Whole files in it are known to be on disks of this machine. */
      readonly isHere: boolean;
    }
  | { readonly type: 'measure'; readonly id: number; readonly paths: readonly string[] }
  /** Close what is open: nobody reads for now. */
  | { readonly type: 'rest'; readonly id: number };

export type FromReader =
  | { readonly type: 'ready' }
  | {
      readonly type: 'filled';
      readonly id: number;
      readonly slab: ArrayBuffer;
      /** null: cancelled. */
      readonly result: ReadResult | null;
    }
  | { readonly type: 'measured'; readonly id: number; readonly sizes: Float64Array }
  | { readonly type: 'rested'; readonly id: number };
