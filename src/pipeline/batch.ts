import { Mx8Error } from '../core/base/errors.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { labelIds } from '../decode/labels.ts';
import type { SampleBatch } from './contract.ts';
import type { Slab, SlabPool } from './slab-pool.ts';

export interface BatchContent {
  readonly table: RecordTable;
  /** Bytes of each record's sample, in the same order. */
  readonly sizes: Float64Array;
  /** Where in the slab the first one starts. */
  readonly startBytes: number;
  readonly streamEnd: number;
}

/**
 * A batch in a slab. Released, it refuses to show anything, and views taken before are empty. What it has to
 * show is made when it is asked for: few consumers look at all of it.
 */
export class SlabBatch implements SampleBatch {
  readonly streamEnd: number;
  readonly payloadBytes: number;
  readonly #table: RecordTable;
  readonly #sizes: Float64Array;
  readonly #startBytes: number;
  readonly #pool: SlabPool;
  #slab: Slab | null;
  #isWatched: boolean = false;
  #payload: Uint8Array | null = null;
  #offsets: Float64Array | null = null;
  #sampleIds: Float64Array | null = null;
  #labelIds: Int32Array | null = null;
  #records: readonly SampleRecord[] | null = null;

  constructor(pool: SlabPool, slab: Slab, content: BatchContent) {
    this.#pool = pool;
    this.#slab = slab;
    this.#table = content.table;
    this.#sizes = content.sizes;
    this.#startBytes = content.startBytes;
    this.streamEnd = content.streamEnd;
    let bytes = 0;
    for (let index = 0; index < content.table.length; index += 1) {
      bytes += content.sizes[index] ?? 0;
    }
    this.payloadBytes = bytes;
  }

  get sampleCount(): number {
    return this.#table.length;
  }

  get sampleIds(): Float64Array {
    this.#sampleIds ??= this.#table.sampleIds();
    return this.#sampleIds;
  }

  get labelIds(): Int32Array {
    this.#labelIds ??= labelIds(this.#table);
    return this.#labelIds;
  }

  get records(): readonly SampleRecord[] {
    this.#records ??= this.#table.records();
    return this.#records;
  }

  get payload(): Uint8Array {
    const { buffer } = this.#live();
    this.#payload ??= new Uint8Array(buffer, this.#startBytes, this.payloadBytes);
    return this.#payload;
  }

  get offsets(): Float64Array {
    this.#live();
    this.#offsets ??= endsOf(this.#sizes, this.sampleCount);
    return this.#offsets;
  }

  sample(index: number): Uint8Array {
    const { payload, offsets } = this;
    const start = offsets[index];
    const end = offsets[index + 1];
    if (start === undefined || end === undefined) {
      const last = this.sampleCount - 1;
      throw new RangeError(`a batch has the samples 0 to ${last}, not ${index}`);
    }
    return payload.subarray(start, end);
  }

  watch(): void {
    this.#pool.watch(this.#live());
    this.#isWatched = true;
  }

  release(): void {
    const slab = this.#slab;
    this.#slab = null;
    this.#payload = null;
    if (slab === null) return;
    if (this.#isWatched) this.#pool.unwatch(slab);
    this.#pool.release(slab);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #live(): Slab {
    if (this.#slab !== null) return this.#slab;
    throw new Mx8Error(
      'batch_released',
      'This batch has been released and its memory may hold another one. Read it before asking for the next batch, or keep it with batch.keep().',
    );
  }
}

/** 0, and after each of the first `count` samples where it ends. */
function endsOf(sizes: Float64Array, count: number): Float64Array {
  const ends = new Float64Array(count + 1);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    at += sizes[index] ?? 0;
    ends[index + 1] = at;
  }
  return ends;
}
