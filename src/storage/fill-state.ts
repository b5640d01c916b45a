import type { ErrorCode, Mx8Error } from '../core/base/errors.ts';
import type { IoFault } from './io-request.ts';
import type { ReadFailure, ReadFailureReason, ReadJob, ReadResult } from './read-job.ts';

/** How far a job is: the next sample, and where in the slab it goes. */
export class FillState {
  readonly job: ReadJob;
  readonly slab: Uint8Array;
  /** Whether its whole files are known to be on disks of this machine. */
  readonly isHere: boolean;
  readonly #sizes: Float64Array;
  readonly #failures: ReadFailure[] = [];
  /** The next sample to deal with. */
  index: number = 0;
  /** Where in the slab it goes. */
  at: number;
  /** Not 0: the sample at `index` has this size and does not fit; the job ends before it. */
  nextBytes: number = 0;

  constructor(job: ReadJob, slab: Uint8Array, isHere: boolean) {
    this.job = job;
    this.slab = slab;
    this.isHere = isHere;
    this.at = job.startBytes;
    this.#sizes = new Float64Array(job.locations.length).fill(-1);
  }

  /** Whether a sample of so many bytes may go to slab byte `at` as a part of this batch. */
  fits(bytes: number, at: number): boolean {
    const filled = at - this.job.startBytes;
    if (filled > 0 && filled + bytes > this.job.targetBytes) return false;
    return at + bytes <= this.slab.length;
  }

  /** The sample at `index` is in the slab. */
  done(bytes: number): void {
    this.#sizes[this.index] = bytes;
    this.at += bytes;
    this.index += 1;
  }

  /** The sample at `index` leaves no room in the slab. */
  fail(reason: ReadFailureReason, foundBytes: number = -1): void {
    this.#failures.push({ index: this.index, reason, errno: '', syscall: '', foundBytes });
    this.index += 1;
  }

  /** The sample at `index` is refused for what its bytes are. */
  refuse(code: ErrorCode, note: string): void {
    const { index } = this;
    const nothing = { errno: '', syscall: '', foundBytes: -1 };
    this.#failures.push({ index, reason: 'format', ...nothing, code, note });
    this.index += 1;
  }

  /** The place that the sample at `index` is in does not give it. */
  failPlace(error: Mx8Error): void {
    const { index } = this;
    const nothing = { errno: '', syscall: '', foundBytes: -1 };
    this.#failures.push({ index, reason: 'place', ...nothing, error });
    this.index += 1;
  }

  fault({ errno, syscall }: IoFault): void {
    const reason = errno === 'EISDIR' ? 'not_a_file' : 'io';
    this.#failures.push({ index: this.index, reason, errno, syscall, foundBytes: -1 });
    this.index += 1;
  }

  result(): ReadResult {
    const { index: done, nextBytes } = this;
    return { sizes: this.#sizes, failures: this.#failures, done, nextBytes };
  }
}
