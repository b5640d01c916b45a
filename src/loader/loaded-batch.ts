/** A batch as the consumer of `load()` gets it. */
import { must } from '../core/base/assert.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { ColumnTable } from '../core/format/column-table.ts';
import { SampleViewer } from '../core/format/sample-view.ts';
import type { SampleBatch } from '../pipeline/index.ts';

/**
 * Valid until the next one is asked for; `keep()` makes it the consumer's own, until it is released
 * (`using`, or `release()`). A kept batch that is forgotten is released when it is collected.
 */
export interface Batch extends Disposable {
  /** Global sample ids, in the order of delivery. */
  readonly sampleIds: Float64Array;
  /** The bytes of all samples, one after the other, without gaps. */
  readonly payload: Uint8Array;
  /** n + 1 byte positions in `payload`: sample i is [offsets[i], offsets[i + 1]). */
  readonly offsets: Float64Array;
  /** Class of each sample, -1 where it has none; names in `loader.classes`. */
  readonly labelIds: Int32Array;
  /** The manifest's records of the samples: locations, hints. */
  readonly records: readonly SampleRecord[];
  readonly sampleCount: number;
  /** Sample i, without a copy. */
  sample(index: number): Uint8Array;
  /**
   * What sample i says: the JSON of a line, the fields of a CSV record or the columns of a MosaicML sample as an
   * object by name. `sample_corrupt` when it is not what it should be.
   */
  row(index: number): unknown;
  /**
   * The bytes of sample i by name, without a copy: the members of a WebDataset sample by their extension
   * (`jpg`, `json`), the columns of a MosaicML sample. One of one piece has one part, of the name ''.
   */
  parts(index: number): ReadonlyMap<string, Uint8Array>;
  /**
   * The rows of sample i as columns, with `rowsPerSample`: views of its bytes, which are an Arrow IPC stream. Numbers are
   * typed arrays, texts bytes with offsets.
   */
  columns(index: number): ColumnTable;
  /** Hands the batch over: it stays valid, and counts as in flight, until it is released. */
  keep(): this;
  /** The consumer is done with it. Safe to call twice. */
  release(): void;
}

/** Who hands a batch out and hears what becomes of it. */
export interface BatchWatch {
  /** Called when the consumer keeps the batch, which it may then forget; with the batch's memory. */
  readonly kept: (memory: ArrayBufferLike) => void;
  /** Called when the consumer looks at the classes; null: nobody wants to know. */
  readonly labelsRead: ((read: SampleBatch) => void) | null;
  /** Called once, when the consumer is done with the batch. */
  readonly finished: (wasKept: boolean) => void;
}

export class LoadedBatch implements Batch {
  readonly #read: SampleBatch;
  readonly #watch: BatchWatch;
  readonly #viewer: SampleViewer = new SampleViewer();
  #kept: boolean = false;
  #over: boolean = false;

  constructor(read: SampleBatch, watch: BatchWatch) {
    this.#read = read;
    this.#watch = watch;
  }

  get sampleIds(): Float64Array {
    return this.#read.sampleIds;
  }

  get payload(): Uint8Array {
    return this.#read.payload;
  }

  get offsets(): Float64Array {
    return this.#read.offsets;
  }

  get labelIds(): Int32Array {
    const { labelIds } = this.#read;
    this.#watch.labelsRead?.(this.#read);
    return labelIds;
  }

  get records(): readonly SampleRecord[] {
    return this.#read.records;
  }

  get sampleCount(): number {
    return this.#read.sampleCount;
  }

  sample(index: number): Uint8Array {
    return this.#read.sample(index);
  }

  row(index: number): unknown {
    return this.#viewer.row(this.#record(index), this.sample(index));
  }

  parts(index: number): ReadonlyMap<string, Uint8Array> {
    return this.#viewer.parts(this.#record(index), this.sample(index));
  }

  columns(index: number): ColumnTable {
    return this.#viewer.columns(this.#record(index), this.sample(index));
  }

  keep(): this {
    // A batch that is gone says so here, not when it is used.
    const { buffer } = this.#read.payload;
    if (!this.#kept) {
      this.#read.watch();
      this.#watch.kept(buffer);
    }
    this.#kept = true;
    return this;
  }

  release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#read.release();
    this.#watch.finished(this.#kept);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #record(index: number): SampleRecord {
    return must(this.#read.records[index], `the batch has a sample ${index}`);
  }

  /** The consumer asks for the next batch: it is done with this one, unless it kept it. */
  passOn(): void {
    if (!this.#kept) this.release();
  }

  /** The consumer went away in the middle of it: its memory comes back, but it is not done with. */
  abandon(): void {
    if (this.#kept || this.#over) return;
    this.#over = true;
    this.#read.release();
  }
}
