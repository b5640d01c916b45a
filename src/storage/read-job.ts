/** Reading the samples of one batch into one slab: the order, and what became of it. Plain data. */
import type { ErrorCode, Mx8Error } from '../core/base/errors.ts';
import type { CodedPart } from '../core/format/coded-part.ts';

/**
 * What to read, in order. Sample i is [offsets[i], offsets[i] + lengths[i]) of locations[i]; an offset
 * of -1 stands for the whole file, which must have lengths[i] bytes unless that is -1. The samples follow each other in the slab
 * without gaps, from `startBytes` on; those that cannot be read leave no room.
 */
export interface ReadJob {
  readonly locations: readonly string[];
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** `etagTag` of each sample's object when it was pinned, 0 where nobody took it down; absent: nowhere. */
  readonly tags?: Float64Array;
  /** Samples that are parts of compressed files, null for others; absent where there are none. */
  readonly coded?: readonly (CodedPart | null)[];
  readonly startBytes: number;
  /** Whole files: a batch of several samples ends before it grows larger than this. */
  readonly targetBytes: number;
  /** A sample larger than this can never be read: `max_inflight_bytes`. */
  readonly capBytes: number;
}

export interface ReadResult {
  /** Bytes of each sample, -1 for those that failed or were not reached. */
  readonly sizes: Float64Array;
  readonly failures: readonly ReadFailure[];
  /** Samples dealt with: all of them, or fewer when the next one did not fit. */
  readonly done: number;
  /** Size of the sample that did not fit; 0 when all were dealt with. */
  readonly nextBytes: number;
}

export type ReadFailureReason =
  /** A system call failed; see `errno`. */
  | 'io'
  /** Fewer bytes are there than the manifest says. */
  | 'short'
  /** A whole file has another size than when it was pinned. */
  | 'resized'
  | 'empty'
  | 'too_large'
  /** A folder, device, socket or the like. */
  | 'not_a_file'
  /** A URL; only local files are read here. */
  | 'not_local'
  /** The place says why; see `error`. */
  | 'place'
  /** Its format does not let it be read; see `code` and `note`. */
  | 'format';

export interface ReadFailure {
  readonly index: number;
  readonly reason: ReadFailureReason;
  /** Name of the system error, such as ENOENT; '' where none occurred. */
  readonly errno: string;
  /** The call that failed, such as open; '' where none did. */
  readonly syscall: string;
  /** Bytes that were there, where that is known; else -1. */
  readonly foundBytes: number;
  /** Of `place`. */
  readonly error?: Mx8Error;
  /** Of `format`: what is wrong. */
  readonly code?: ErrorCode;
  readonly note?: string;
}
