/** What process() is given: some samples, as views of one slab, without copies. */
import { must } from '../core/base/assert.ts';
import type { ColumnTable } from '../core/format/column-table.ts';
import { SampleViewer } from '../core/format/sample-view.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

/** What a `JobBatch` is made of; a `SampleBatch` of the pipeline is one. */
export interface BatchSource {
  readonly sampleIds: Float64Array;
  readonly payload: Uint8Array;
  readonly offsets: Float64Array;
  readonly labelIds: Int32Array;
  readonly records: readonly SampleRecord[];
}

const decoder = new TextDecoder();

/** One sample of a batch. `bytes` is valid until process() has returned; copy what must live longer. */
export class JobSample {
  readonly id: number;
  /** Absolute path or URL of the file that holds the sample. */
  readonly location: string;
  readonly bytes: Uint8Array;
  /** Class of the sample in a labelled data set, else null. */
  readonly label: number | null;
  readonly record: SampleRecord;
  readonly #viewer: SampleViewer;

  constructor(record: SampleRecord, bytes: Uint8Array, labelId: number, viewer: SampleViewer) {
    this.#viewer = viewer;
    this.id = record.sampleId;
    this.location = record.location;
    this.bytes = bytes;
    this.label = labelId < 0 ? null : labelId;
    this.record = record;
  }

  /** The bytes as UTF-8; malformed parts become U+FFFD. */
  text(): string {
    return decoder.decode(this.bytes);
  }

  /**
   * What it says: the JSON of a line (or of a file), the fields of a CSV record or the columns of a MosaicML
   * sample as an object by name. `sample_corrupt` when it is not what it should be.
   */
  row(): unknown {
    return this.#viewer.row(this.record, this.bytes);
  }

  /**
   * Its bytes by name: the members of a WebDataset sample by their extension (`jpg`, `json`), the columns of a
   * MosaicML sample. Views of `bytes`, valid as long. A sample of one piece has one part, of the name ''.
   */
  get parts(): ReadonlyMap<string, Uint8Array> {
    return this.#viewer.parts(this.record, this.bytes);
  }

  /**
   * Its rows as columns, with `rowsPerSample`: views of `bytes`, which are an Arrow IPC stream, valid as long. Numbers are
   * typed arrays, texts bytes with offsets.
   */
  columns(): ColumnTable {
    return this.#viewer.columns(this.record, this.bytes);
  }

  /**
   * The last part of `location`: the file's name, which files of other folders may have too, and which is that of the shard
   * for all samples of one. The query of a web address, often a signature, is no part of it. `id` is the sample's own; a row
   * of `files()` that names no file gets a name of both.
   */
  get name(): string {
    const { location } = this;
    return lastPart(/^https?:/.test(location) ? location.replace(/[?#].*$/, '') : location);
  }
}

export class JobBatch implements Iterable<JobSample> {
  readonly sampleIds: Float64Array;
  /** The bytes of all samples, one after the other. */
  readonly payload: Uint8Array;
  /** n + 1 positions in `payload`: sample i is [offsets[i], offsets[i + 1]). */
  readonly offsets: Float64Array;
  /** Class of each sample, -1 where it has none. */
  readonly labelIds: Int32Array;
  readonly records: readonly SampleRecord[];
  readonly #viewer: SampleViewer = new SampleViewer();

  constructor(source: BatchSource) {
    this.sampleIds = source.sampleIds;
    this.payload = source.payload;
    this.offsets = source.offsets;
    this.labelIds = source.labelIds;
    this.records = source.records;
  }

  get length(): number {
    return this.records.length;
  }

  /** Sample i, 0 <= i < length. */
  at(index: number): JobSample {
    const record = must(this.records[index], `the batch has a sample ${index}`);
    const from = must(this.offsets[index], 'every sample has an offset');
    const to = must(this.offsets[index + 1], 'every sample has an end');
    const bytes = this.payload.subarray(from, to);
    return new JobSample(record, bytes, this.labelIds[index] ?? -1, this.#viewer);
  }

  *[Symbol.iterator](): IterableIterator<JobSample> {
    for (let index = 0; index < this.length; index += 1) yield this.at(index);
  }

  /** Samples [from, to) as a batch of their own; the payload is not copied. */
  slice(from: number, to: number): JobBatch {
    const base = must(this.offsets[from], 'the part begins inside the batch');
    const end = must(this.offsets[to], 'the part ends inside the batch');
    return new JobBatch({
      sampleIds: this.sampleIds.subarray(from, to),
      payload: this.payload.subarray(base, end),
      offsets: this.offsets.slice(from, to + 1).map((offset) => offset - base),
      labelIds: this.labelIds.subarray(from, to),
      records: this.records.slice(from, to),
    });
  }
}

export function lastPart(location: string): string {
  return location.slice(location.lastIndexOf('/') + 1);
}
