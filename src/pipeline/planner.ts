/**
 * Decides what the next batch is. Where every size is known its end is exact. Where files have to be
 * opened to know, a batch is planned by a guess and the reading says where it ends; the records beyond
 * that come back and are planned again.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { BatchSizer } from '../core/memory/batch-sizer.ts';
import type { BatchLimits } from '../core/memory/batch-sizer.ts';
import { SizeGuess } from '../core/memory/size-guess.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { LocalReader } from '../storage/local-reader.ts';
import type { ReadJob, ReadResult } from '../storage/read-job.ts';
import { MISFITS_MAX, SECTOR_BYTES, SLAB_SLACK_BYTES, SLAB_START_BYTES } from './limits.ts';
import { UNKNOWN_SIZE } from './record-queue.ts';
import type { RecordQueue, Stretch } from './record-queue.ts';

export interface BatchPlan {
  readonly stretch: Stretch;
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
  /** How often a batch had to be planned again because this sample was larger than expected. */
  readonly #misfits: WeakMap<SampleRecord, number> = new WeakMap();

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
      const stretch = this.#queue.peek(batchSize);
      if (stretch.records.length === 0 || !this.#isOpen()) return null;
      let unknown = 0;
      let knownBytes = 0;
      for (const size of stretch.sizes) {
        if (size === UNKNOWN_SIZE) unknown += 1;
        else knownBytes += size;
      }
      if (unknown === 0) return this.#exact(stretch);
      const bytes = this.#guess.reserveBytes(unknown, targetBytes - knownBytes);
      if (bytes !== null) return this.#take(stretch, knownBytes + bytes);
      // While this waits, records may come back to the queue: look again afterwards.
      const sizes = await this.#measure(stretch);
      if (this.#queue.peek(1).records[0] === stretch.records[0]) this.#queue.learn(sizes);
    }
  }

  /**
   * The batch was read. Answers how many of its records it holds (all, or those before the one that
   * would have passed the byte target); 0: the slab was too small, plan it again.
   */
  settle({ stretch, job }: BatchPlan, result: ReadResult): number {
    const { records, sizes } = stretch;
    let bytes = 0;
    let count = 0;
    for (const size of result.sizes) {
      if (size < 0) continue;
      bytes += size;
      count += 1;
    }
    this.#guess.observe(count, bytes);
    const misfit = records[result.done];
    if (misfit === undefined) return result.done;

    this.#guess.missed();
    sizes[result.done] = result.nextBytes;
    if (bytes > 0 && bytes + result.nextBytes > job.targetBytes) return result.done;
    for (const [index, size] of result.sizes.entries()) if (size >= 0) sizes[index] = size;
    this.#countMisfit(misfit);
    return 0;
  }

  #exact({ records, sizes }: Stretch): BatchPlan {
    const sizer = new BatchSizer(this.#limits);
    for (const size of sizes) if (!sizer.take(size)) break;
    const { count, bytes } = sizer;
    if (count === records.length) return this.#take({ records, sizes }, bytes);
    return this.#take({ records: records.slice(0, count), sizes: sizes.slice(0, count) }, bytes);
  }

  #take(stretch: Stretch, bytes: number): BatchPlan {
    const { records } = stretch;
    const count = records.length;
    this.#queue.take(count);
    const { capBytes, targetBytes } = this.#limits;
    const roomy = bytes + SLAB_SLACK_BYTES <= capBytes;
    const slabBytes = roomy ? bytes + SLAB_SLACK_BYTES : Math.max(1, bytes);
    const locations: string[] = [];
    const offsets = new Float64Array(count);
    const lengths = new Float64Array(count);
    for (let index = 0; index < count; index += 1) {
      const record = records[index];
      locations.push(record?.location ?? '');
      offsets[index] = record?.byteOffset ?? -1;
      lengths[index] = record?.byteLength ?? record?.pinnedBytes ?? -1;
    }
    const startBytes = roomy ? slabStart(records[0]) : 0;
    const job: ReadJob = { locations, offsets, lengths, startBytes, targetBytes, capBytes };
    return { stretch, job, slabBytes };
  }

  async #measure({ records, sizes }: Stretch): Promise<readonly number[]> {
    const measured = await this.#reader.measure(records.map(({ location }) => location));
    return sizes.map((size, index) =>
      // One that cannot be measured cannot be read either; reading it says why.
      size === UNKNOWN_SIZE ? Math.max(0, measured[index] ?? 0) : size,
    );
  }

  #countMisfit(record: SampleRecord): void {
    const misfits = (this.#misfits.get(record) ?? 0) + 1;
    this.#misfits.set(record, misfits);
    if (misfits > MISFITS_MAX) throw growing(record);
  }
}

function slabStart(first: SampleRecord | undefined): number {
  const intoSector = (first?.byteOffset ?? 0) % SECTOR_BYTES;
  return (Math.ceil(intoSector / 16) * 16 + SLAB_START_BYTES) % SECTOR_BYTES;
}

function growing(record: SampleRecord): Mx8Error {
  return new Mx8Error(
    'sample_changed',
    `Sample ${record.sampleId} in ${record.location} grows while it is being read. Read a copy that nobody writes to.`,
    { sample_id: record.sampleId, location: record.location },
  );
}
