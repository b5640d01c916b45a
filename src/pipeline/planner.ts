/**
 * Decides what the next batch is. Where every size is known its end is exact. Where files have to be
 * opened to know, a batch is planned by a guess and the reading says where it ends; the records beyond
 * that come back and are planned again.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { BatchSizer } from '../core/memory/batch-sizer.ts';
import type { BatchLimits } from '../core/memory/batch-sizer.ts';
import { SizeGuess } from '../core/memory/size-guess.ts';
import type { LocalReader } from '../storage/local-reader.ts';
import type { ReadJob, ReadResult } from '../storage/read-job.ts';
import { MISFITS_MAX, SECTOR_BYTES, SLAB_SLACK_BYTES, SLAB_START_BYTES } from './limits.ts';
import type { RecordQueue, Upcoming } from './record-queue.ts';

export interface BatchPlan {
  readonly entries: readonly Upcoming[];
  readonly job: ReadJob;
  /** Bytes of slab it needs. */
  readonly slabBytes: number;
}

export class Planner {
  readonly #queue: RecordQueue;
  readonly #limits: BatchLimits;
  readonly #reader: LocalReader;
  readonly #isOpen: () => boolean;
  readonly #guess: SizeGuess = new SizeGuess();

  constructor(queue: RecordQueue, limits: BatchLimits, reader: LocalReader, isOpen: () => boolean) {
    this.#queue = queue;
    this.#limits = limits;
    this.#reader = reader;
    this.#isOpen = isOpen;
  }

  /** The next batch, taken from the queue; null when the source has no more for now. */
  async next(): Promise<BatchPlan | null> {
    const { batchSize, targetBytes } = this.#limits;
    for (;;) {
      await this.#queue.fill(batchSize);
      const entries = this.#queue.peek(batchSize);
      if (entries.length === 0 || !this.#isOpen()) return null;
      const unknown = entries.filter(({ sizeBytes }) => sizeBytes < 0);
      if (unknown.length === 0) return this.#exact(entries);
      const knownBytes = entries.reduce((sum, entry) => sum + Math.max(0, entry.sizeBytes), 0);
      const bytes = this.#guess.reserveBytes(unknown.length, targetBytes - knownBytes);
      if (bytes !== null) return this.#take(entries, knownBytes + bytes);
      // While this waits, records may come back to the queue: look again afterwards.
      await this.#measure(unknown);
    }
  }

  /**
   * The batch was read. Answers how many of its records it holds (all, or those before the one that
   * would have passed the byte target); 0: the slab was too small, plan it again.
   */
  settle(plan: BatchPlan, result: ReadResult): number {
    const { entries, job } = plan;
    let bytes = 0;
    let count = 0;
    for (const size of result.sizes) {
      if (size < 0) continue;
      bytes += size;
      count += 1;
    }
    this.#guess.observe(count, bytes);
    if (result.done === entries.length) return result.done;

    this.#guess.missed();
    const misfit = entries[result.done];
    if (misfit === undefined) return result.done;
    misfit.sizeBytes = result.nextBytes;
    if (bytes > 0 && bytes + result.nextBytes > job.targetBytes) return result.done;
    for (const [index, entry] of entries.entries()) {
      const size = result.sizes[index] ?? -1;
      if (size >= 0) entry.sizeBytes = size;
    }
    misfit.misfits += 1;
    if (misfit.misfits > MISFITS_MAX) throw growing(misfit);
    return 0;
  }

  #exact(candidates: readonly Upcoming[]): BatchPlan {
    const sizer = new BatchSizer(this.#limits);
    for (const { sizeBytes } of candidates) if (!sizer.take(sizeBytes)) break;
    return this.#take(candidates.slice(0, sizer.count), sizer.bytes);
  }

  #take(entries: readonly Upcoming[], bytes: number): BatchPlan {
    this.#queue.take(entries.length);
    const { capBytes, targetBytes } = this.#limits;
    const roomy = bytes + SLAB_SLACK_BYTES <= capBytes;
    const slabBytes = roomy ? bytes + SLAB_SLACK_BYTES : Math.max(1, bytes);
    const job: ReadJob = {
      locations: entries.map(({ record }) => record.location),
      offsets: Float64Array.from(entries, ({ record }) => record.byteOffset ?? -1),
      lengths: Float64Array.from(entries, ({ record }) => record.byteLength ?? -1),
      startBytes: roomy ? startBytes(entries[0]) : 0,
      targetBytes,
      capBytes,
    };
    return { entries, job, slabBytes };
  }

  async #measure(entries: readonly Upcoming[]): Promise<void> {
    const sizes = await this.#reader.measure(entries.map(({ record }) => record.location));
    for (const [index, entry] of entries.entries()) {
      // One that cannot be measured cannot be read either; reading it says why.
      entry.sizeBytes = Math.max(0, sizes[index] ?? 0);
    }
  }
}

function startBytes(first: Upcoming | undefined): number {
  const intoSector = (first?.record.byteOffset ?? 0) % SECTOR_BYTES;
  return (Math.ceil(intoSector / 16) * 16 + SLAB_START_BYTES) % SECTOR_BYTES;
}

function growing({ record }: Upcoming): Mx8Error {
  return new Mx8Error(
    'sample_changed',
    `Sample ${record.sampleId} in ${record.location} grows while it is being read. Read a copy that nobody writes to.`,
    { sample_id: record.sampleId, location: record.location },
  );
}
