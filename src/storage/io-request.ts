/**
 * The system calls that reading needs, as data. A generator yields requests and is given the answers;
 * one driver makes the calls synchronously (in a reader thread), the other through Node's thread pool.
 * So how a batch is read is written once, and tested without a disk. A request is the program's own
 * again once it is answered: it may be changed and yielded again.
 */
import type { ReadJob } from './read-job.ts';

/** A job whose next samples are whole files; who reads one into the slab says so with `done`. */
export interface FilesInLine {
  readonly job: ReadJob;
  readonly slab: Uint8Array;
  /** Whether they are known to be on disks of this machine. */
  readonly isHere: boolean;
  /** The next sample, and where in the slab it goes. */
  readonly index: number;
  readonly at: number;
  fits(bytes: number, at: number): boolean;
  done(bytes: number): void;
}

export type IoRequest =
  /** Opens a file that only this job reads. Answers a descriptor, to be closed. */
  | { readonly op: 'open'; readonly path: string }
  | { readonly op: 'close'; readonly fd: number }
  /**
   * Reads samples [files.index, end) up to the first that is not as it was pinned, where that is done with
   * synchronous calls; elsewhere nothing. Answers how many.
   */
  | { readonly op: 'plain_files'; readonly files: FilesInLine; readonly end: number }
  /** Opens a shard that other jobs may be reading too. Answers a descriptor, to be given back. */
  | { readonly op: 'acquire'; readonly path: string }
  | { readonly op: 'give_back'; readonly path: string }
  /** Answers 1 when the shard, which is open, is known to be on a disk of this machine, else 0. */
  | { readonly op: 'is_here'; readonly path: string }
  /** Into slab bytes [start, start + length); position null: where the last read ended. */
  | {
      readonly op: 'read';
      readonly fd: number;
      readonly start: number;
      readonly length: number;
      readonly position: number | null;
    }
  /** Fills the views one after the other; only of a shard that is here may they overlap. */
  | {
      readonly op: 'readv';
      readonly fd: number;
      readonly views: readonly Uint8Array[];
      readonly position: number;
    }
  /** Answers the size of the open file, -1 when it is not a regular file. */
  | { readonly op: 'fstat'; readonly fd: number }
  /** Answers the size of the file, -1 when it is not a regular file. */
  | { readonly op: 'stat'; readonly path: string };

/** A system call that failed. */
export interface IoFault {
  readonly errno: string;
  readonly syscall: string;
}

/** Bytes read, a descriptor, a size or 0; or the fault. */
export type IoAnswer = number | IoFault;

export type IoProgram<T> = Generator<IoRequest, T, IoAnswer>;

export function ioFault(error: unknown, syscall: string): IoFault {
  const errno =
    error instanceof Error && 'code' in error && typeof error.code === 'string'
      ? error.code
      : 'EUNKNOWN';
  return { errno, syscall };
}
