/** Where the samples of a batch go in its slab, and what became of each. Pure. */
import type { Mx8Error } from '../core/base/errors.ts';
import type { WantedSample } from '../core/transfer/plan-ranges.ts';
import type { ReadFailure, ReadFailureReason, ReadJob, ReadResult } from './read-job.ts';

interface Placed extends WantedSample {
  error: Mx8Error | null;
}

export class PlaceFill {
  readonly #job: ReadJob;
  readonly #slab: Uint8Array;
  readonly #lengths: Float64Array;
  readonly #sizes: Float64Array;
  readonly #failures: ReadFailure[] = [];
  readonly #placed: Placed[] = [];
  /** Of samples whose size could not be asked for. */
  readonly #errors: Map<number, Mx8Error> = new Map();
  #done: number = 0;
  #nextBytes: number = 0;

  constructor(job: ReadJob, slab: Uint8Array) {
    this.#job = job;
    this.#slab = slab;
    this.#lengths = job.lengths.slice();
    this.#sizes = new Float64Array(job.locations.length).fill(-1);
  }

  /** The samples whose sizes nobody has taken down. */
  get unknown(): readonly number[] {
    const unknown: number[] = [];
    for (let index = 0; index < this.#lengths.length; index += 1) {
      if (this.#lengths[index] === -1) unknown.push(index);
    }
    return unknown;
  }

  learn(
    indexes: readonly number[],
    sizes: Float64Array,
    errors: readonly (Mx8Error | null)[],
  ): void {
    for (const [at, index] of indexes.entries()) {
      const error = errors[at] ?? null;
      if (error === null) this.#lengths[index] = sizes[at] ?? -1;
      else this.#errors.set(index, error);
    }
  }

  /** The samples that fit, in order, each with its place. */
  place(): readonly WantedSample[] {
    const { locations, offsets, startBytes, targetBytes, capBytes } = this.#job;
    let at = startBytes;
    let object = -1;
    let location = '';
    for (let index = 0; index < locations.length; index += 1) {
      const bytes = this.#lengths[index] ?? -1;
      const error = this.#errors.get(index);
      if (error !== undefined) this.#failPlace(index, error);
      else if (bytes === 0) this.#fail(index, 'empty', 0);
      else if (bytes > capBytes) this.#fail(index, 'too_large', bytes);
      else {
        const filled = at - startBytes;
        const fits =
          (filled === 0 || filled + bytes <= targetBytes) && at + bytes <= this.#slab.length;
        if (!fits) {
          this.#nextBytes = bytes;
          break;
        }
        if (locations[index] !== location) object += 1;
        location = locations[index] ?? '';
        const start = Math.max(0, offsets[index] ?? 0);
        this.#placed.push({ index, object, start, bytes, at, error: null });
        at += bytes;
      }
      this.#done = index + 1;
    }
    return this.#placed;
  }

  failed(samples: readonly number[], error: Mx8Error): void {
    const failed = new Set(samples);
    for (const sample of this.#placed) {
      if (failed.has(sample.index)) sample.error ??= error;
    }
  }

  /** Samples that failed leave no room: those behind them move up. */
  result(): ReadResult {
    let to = this.#job.startBytes;
    for (const { index, at, bytes, error } of this.#placed) {
      if (error !== null) {
        this.#failPlace(index, error);
        continue;
      }
      if (at !== to) this.#slab.copyWithin(to, at, at + bytes);
      this.#sizes[index] = bytes;
      to += bytes;
    }
    return {
      sizes: this.#sizes,
      failures: this.#failures.sort((one, other) => one.index - other.index),
      done: this.#done,
      nextBytes: this.#nextBytes,
    };
  }

  #fail(index: number, reason: ReadFailureReason, foundBytes: number): void {
    this.#failures.push({ index, reason, errno: '', syscall: '', foundBytes });
  }

  #failPlace(index: number, error: Mx8Error): void {
    const failure = {
      index,
      reason: 'place',
      errno: '',
      syscall: '',
      foundBytes: -1,
      error,
    } as const;
    this.#failures.push(failure);
  }
}
