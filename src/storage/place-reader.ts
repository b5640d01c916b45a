/**
 * Reads the samples of a batch from places into its slab: neighbours in one object travel together, large ones
 * in parts, and all ranges of a batch at a time, as far as each host lets. A sample that cannot be read is an
 * answer; a store that cannot be reached is an error of the whole reading, as no sample is to blame.
 */
import { setMaxListeners } from 'node:events';

import { Mx8Error } from '../core/base/errors.ts';
import { planRanges } from '../core/transfer/plan-ranges.ts';
import type { PlannedRange } from '../core/transfer/plan-ranges.ts';
import type { Places } from '../ports/place.ts';
import { isRemote } from './places.ts';
import { PlaceFill } from './place-fill.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import type { FilledSlab } from './reader-threads.ts';

/** What the store says of everything at once is no fault of a sample. */
const FATAL = new Set([
  'object_store_unavailable',
  'object_credentials_missing',
  'disk_cache_unusable',
  'flag_invalid',
]);

/** Whether the error is about one object, whose samples can be set aside. */
export function isOfObject(error: unknown): error is Mx8Error {
  return error instanceof Mx8Error && !FATAL.has(error.code);
}

const MEASURED_AT_ONCE = 64;

export class PlaceReader {
  readonly #places: Places;
  readonly #stop: AbortController = new AbortController();
  readonly #underWay: Set<Promise<unknown>> = new Set();

  constructor(places: Places) {
    this.#places = places;
    // Every range of every batch listens; that is no leak.
    setMaxListeners(0, this.#stop.signal);
  }

  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    const reading = this.#fill(job, new Uint8Array(slab)).then(
      (result) => ({ slab, result }),
      (error: unknown) => {
        if (this.#stop.signal.aborted) return { slab, result: null };
        throw error;
      },
    );
    return this.#track(reading);
  }

  measure(locations: readonly string[]): Promise<Float64Array> {
    return this.#track(this.#measure(locations, []));
  }

  async close(): Promise<void> {
    this.#stop.abort(new Mx8Error('interrupted', 'the reader was closed'));
    await Promise.allSettled(this.#underWay);
  }

  async #fill(job: ReadJob, slab: Uint8Array): Promise<ReadResult> {
    const fill = new PlaceFill(job, slab);
    const unknown = fill.unknown;
    if (unknown.length > 0) {
      const errors: (Mx8Error | null)[] = [];
      const paths = unknown.map((index) => job.locations[index] ?? '');
      fill.learn(unknown, await this.#measure(paths, errors), errors);
    }
    const ranges = planRanges(fill.place());
    const read = await Promise.allSettled(ranges.map((range) => this.#read(job, slab, range)));
    for (const [at, outcome] of read.entries()) {
      if (outcome.status === 'fulfilled') continue;
      const error: unknown = outcome.reason;
      if (!isOfObject(error)) throw error;
      fill.failed(ranges[at]?.samples ?? [], error);
    }
    return fill.result();
  }

  async #read(job: ReadJob, slab: Uint8Array, range: PlannedRange): Promise<void> {
    const first = range.samples[0] ?? 0;
    const location = job.locations[first] ?? '';
    const isWhole = job.offsets[first] === -1;
    await this.#places.of(location).readRange(
      location,
      {
        start: range.start,
        end: range.end,
        targets: range.pieces.map(({ bytes, at }) => ({
          bytes,
          into: at === -1 ? null : slab.subarray(at, at + bytes),
        })),
        pinnedTag: isRemote(location) ? (job.tags?.[first] ?? 0) : 0,
        pinnedBytes: isWhole ? (job.lengths[first] ?? -1) : -1,
      },
      this.#stop.signal,
    );
  }

  /** -1 where there is none; `errors` gets why, at the same place. */
  async #measure(locations: readonly string[], errors: (Mx8Error | null)[]): Promise<Float64Array> {
    const sizes = new Float64Array(locations.length).fill(-1);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < locations.length; index = next++) {
        const location = locations[index] ?? '';
        errors[index] = null;
        try {
          const { bytes } = await this.#places.of(location).stat(location, this.#stop.signal);
          sizes[index] = bytes;
        } catch (error) {
          if (!isOfObject(error)) throw error;
          errors[index] = error;
        }
      }
    };
    const workers = Math.min(MEASURED_AT_ONCE, locations.length);
    await Promise.all(Array.from({ length: workers }, work));
    return sizes;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const settled = (): void => void this.#underWay.delete(work);
    work.then(settled, settled);
    return work;
  }
}
