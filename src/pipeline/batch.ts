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

interface Views {
  readonly payload: Uint8Array;
  readonly offsets: Float64Array;
}

/** A batch in a slab. Released, it refuses to show anything, and views taken before are empty. */
export class SlabBatch implements SampleBatch {
  readonly sampleIds: Float64Array;
  readonly labelIds: Int32Array;
  readonly streamEnd: number;
  readonly #table: RecordTable;
  readonly #pool: SlabPool;
  #records: readonly SampleRecord[] | null = null;
  #slab: Slab | null;
  #views: Views | null;

  constructor(pool: SlabPool, slab: Slab, content: BatchContent) {
    const { table, sizes, startBytes } = content;
    this.#pool = pool;
    this.#slab = slab;
    this.#table = table;
    this.streamEnd = content.streamEnd;
    this.labelIds = labelIds(table);
    this.sampleIds = table.sampleIds();
    const count = table.length;
    const offsets = new Float64Array(count + 1);
    let at = 0;
    for (let index = 0; index < count; index += 1) {
      at += sizes[index] ?? 0;
      offsets[index + 1] = at;
    }
    this.#views = { payload: new Uint8Array(slab.buffer, startBytes, at), offsets };
    pool.watch(slab);
  }

  get sampleCount(): number {
    return this.#table.length;
  }

  /** Made when they are asked for, which few consumers do. */
  get records(): readonly SampleRecord[] {
    this.#records ??= this.#table.records();
    return this.#records;
  }

  get payload(): Uint8Array {
    return this.#live().payload;
  }

  get offsets(): Float64Array {
    return this.#live().offsets;
  }

  sample(index: number): Uint8Array {
    const { payload, offsets } = this.#live();
    const start = offsets[index];
    const end = offsets[index + 1];
    if (start === undefined || end === undefined) {
      const last = this.sampleCount - 1;
      throw new RangeError(`a batch has the samples 0 to ${last}, not ${index}`);
    }
    return payload.subarray(start, end);
  }

  release(): void {
    const slab = this.#slab;
    this.#slab = null;
    this.#views = null;
    if (slab !== null) this.#pool.release(slab);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #live(): Views {
    if (this.#views !== null) return this.#views;
    throw new Mx8Error(
      'batch_released',
      'This batch has been released and its memory may hold another one. Read it before asking for the next batch, or keep it with batch.keep().',
    );
  }
}
