/**
 * Decides what the next batch is. Where every size is known its end is exact. Where files have to be
 * opened to know, a batch is planned by a guess and the reading says where it ends; the records beyond
 * that come back and are planned again.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { BatchSizer } from '../core/memory/batch-sizer.ts';
import type { BatchLimits } from '../core/memory/batch-sizer.ts';
import { SizeGuess } from '../core/memory/size-guess.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { codedPartsOf } from '../core/format/coded-table.ts';
import type { ReadJob, ReadResult } from '../storage/read-job.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import { MISFITS_MAX, SLAB_SLACK_BYTES } from './limits.ts';
import { UNKNOWN_SIZE, partOf } from './record-queue.ts';
import type { RecordQueue, Stretch } from './record-queue.ts';
import type { Slab, SlabPool } from './slab-pool.ts';

/** Where its samples start is known once it has a slab. */
export interface PlannedJob extends ReadJob {
  startBytes: number;
}

export interface BatchPlan {
  readonly stretch: Stretch;
  readonly job: PlannedJob;
  /** Bytes of slab it needs. */
  readonly slabBytes: number;
  /** Whether its samples need not start where the slab does. */
  readonly isRoomy: boolean;
}

/** The batch goes into this slab. */
export function placeIn(slabs: SlabPool, slab: Slab, { job, isRoomy }: BatchPlan): void {
  if (isRoomy) job.startBytes = slabs.startOf(slab).startBytes(job.offsets[0] ?? 0);
}

export class Planner {
  readonly #queue: RecordQueue;
  readonly #limits: BatchLimits;
  readonly #reader: SampleReader;
  readonly #isOpen: () => boolean;
  readonly #guess: SizeGuess = new SizeGuess();
  /**
   * How often a batch had to be planned again because a sample was larger than expected, by the place
   * of the sample in the stream; only of those that are not read yet.
   */
  readonly #misfits: Map<number, number> = new Map();
  /** Those of the last batch whose samples are all in one object: the next one is as a rule like it. */
  #oneLocation: readonly string[] = [];

  constructor(
    queue: RecordQueue,
    limits: BatchLimits,
    reader: SampleReader,
    isOpen: () => boolean,
  ) {
    this.#queue = queue;
    this.#limits = limits;
    this.#reader = reader;
    this.#isOpen = isOpen;
  }

  /**
   * The next batch, taken from the queue; null when the source has no more for now. A promise only
   * where records or sizes have to be waited for.
   */
  next(): Promise<BatchPlan | null> | BatchPlan | null {
    if (this.isShort) return this.#nextLater();
    const stretch = this.#queue.peek(this.#limits.batchSize);
    if (stretch === null || !this.#isOpen()) return null;
    return this.#plan(stretch) ?? this.#nextLater();
  }

  /** Whether records have to be waited for before a batch can be planned. */
  get isShort(): boolean {
    return this.#queue.isShort(this.#limits.batchSize);
  }

  fill(): Promise<void> {
    return this.#queue.fill(this.#limits.batchSize);
  }

  /** The next batch where nothing has to be waited for, else null: then it is for `next` to say. */
  nextNow(): BatchPlan | null {
    const stretch = this.isShort ? null : this.#queue.peek(this.#limits.batchSize);
    return stretch === null ? null : this.#plan(stretch);
  }

  async #nextLater(): Promise<BatchPlan | null> {
    for (;;) {
      await this.fill();
      const stretch = this.#queue.peek(this.#limits.batchSize);
      if (stretch === null || !this.#isOpen()) return null;
      const plan = this.#plan(stretch);
      if (plan !== null) return plan;
      // While this waits, records may come back to the queue: look again afterwards.
      const sizes = await this.#measure(stretch);
      if (this.#queue.position === stretch.start) this.#queue.learn(sizes);
    }
  }

  /** Null where the sizes have to be measured first. */
  #plan(stretch: Stretch): BatchPlan | null {
    const { sizes } = stretch;
    let unknown = 0;
    let knownBytes = 0;
    for (let index = 0; index < sizes.length; index += 1) {
      const size = sizes[index] ?? UNKNOWN_SIZE;
      if (size === UNKNOWN_SIZE) unknown += 1;
      else knownBytes += size;
    }
    if (unknown === 0) return this.#exact(stretch);
    const bytes = this.#guess.reserveBytes(unknown, this.#limits.targetBytes - knownBytes);
    return bytes === null ? null : this.#take(stretch, knownBytes + bytes);
  }

  /**
   * The batch was read. Answers how many of its records it holds (all, or those before the one that
   * would have passed the byte target); 0: the slab was too small, plan it again.
   */
  settle({ stretch, job }: BatchPlan, result: ReadResult): number {
    const { table, sizes, start } = stretch;
    const read = result.sizes;
    let bytes = 0;
    let count = 0;
    for (let index = 0; index < read.length; index += 1) {
      const size = read[index] ?? -1;
      if (size < 0) continue;
      bytes += size;
      count += 1;
    }
    this.#guess.observe(count, bytes);
    if (result.done === table.length) return this.#read(start, result.done);

    this.#guess.missed();
    sizes[result.done] = result.nextBytes;
    if (bytes > 0 && bytes + result.nextBytes > job.targetBytes) {
      return this.#read(start, result.done);
    }
    for (const [index, size] of read.entries()) if (size >= 0) sizes[index] = size;
    this.#countMisfit(stretch, result.done);
    return 0;
  }

  #exact(stretch: Stretch): BatchPlan {
    const { sizes } = stretch;
    const sizer = new BatchSizer(this.#limits);
    for (let index = 0; index < sizes.length; index += 1) {
      if (!sizer.take(sizes[index] ?? 0)) break;
    }
    return this.#take(partOf(stretch, 0, sizer.count), sizer.bytes);
  }

  #take(stretch: Stretch, bytes: number): BatchPlan {
    const { table } = stretch;
    const count = table.length;
    this.#queue.take(count);
    const { capBytes, targetBytes } = this.#limits;
    const roomy = bytes + SLAB_SLACK_BYTES <= capBytes;
    const slabBytes = roomy ? bytes + SLAB_SLACK_BYTES : Math.max(1, bytes);
    const locations = this.#locationsOf(table);
    const offsets = table.byteOffsets();
    const tags = table.pinnedTags();
    const coded = codedPartsOf(table);
    const lengths = coded === null ? table.byteLengths() : table.byteLengths().slice();
    for (const [index, part] of coded?.entries() ?? []) {
      if (part !== null) lengths[index] = part.bytes;
    }
    const job: PlannedJob = {
      locations,
      offsets,
      lengths,
      ...(tags === null ? {} : { tags }),
      ...(coded === null ? {} : { coded }),
      startBytes: 0,
      targetBytes,
      capBytes,
    };
    return { stretch, job, slabBytes, isRoomy: roomy };
  }

  #locationsOf(table: RecordTable): readonly string[] {
    const only = table.onlyLocation;
    if (only === null) return table.locations();
    const known = this.#oneLocation;
    if (known.length !== table.length || known[0] !== only) {
      this.#oneLocation = table.locations();
    }
    return this.#oneLocation;
  }

  async #measure({ table, sizes }: Stretch): Promise<Float64Array> {
    const measured = await this.#reader.measure(table.locations());
    return sizes.map((size, index) =>
      // One that cannot be measured cannot be read either; reading it says why.
      size === UNKNOWN_SIZE ? Math.max(0, measured[index] ?? 0) : size,
    );
  }

  #countMisfit({ table, start }: Stretch, index: number): void {
    const misfits = (this.#misfits.get(start + index) ?? 0) + 1;
    this.#misfits.set(start + index, misfits);
    if (misfits > MISFITS_MAX) throw growing(table.record(index));
  }

  /** `count` records from `start` on are read for good. */
  #read(start: number, count: number): number {
    for (const place of this.#misfits.keys()) {
      if (place >= start && place < start + count) this.#misfits.delete(place);
    }
    return count;
  }
}

function growing(record: SampleRecord): Mx8Error {
  return new Mx8Error(
    'sample_changed',
    `Sample ${record.sampleId} in ${record.location} grows while it is being read. Read a copy that nobody writes to.`,
    { sample_id: record.sampleId, location: record.location },
  );
}
