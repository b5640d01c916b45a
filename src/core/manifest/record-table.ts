/**
 * Consecutive records as columns. A batch of them is made of views of the columns, and only who asks
 * for a record gets an object. Never changed once made.
 */
import { must } from '../base/assert.ts';
import type { SampleRecord } from './record.ts';
import { Texts } from './texts.ts';

export interface RecordColumns {
  readonly sampleIds: Float64Array;
  /** -1: the sample is a whole object. */
  readonly byteOffsets: Float64Array;
  /** Of a whole object its `pinnedBytes`, -1 where those are not known. */
  readonly byteLengths: Float64Array;
  /** `pinnedTag` of each record, 0 where it is not known; absent where none is. */
  readonly pinnedTags?: Float64Array;
  /** Which of `locations` each record has, and which of `hints`; neither number falls from one record to the next. */
  readonly locationOf: Uint32Array;
  readonly hintOf: Uint32Array;
  readonly locations: Texts;
  readonly hints: Texts;
}

export class RecordTable {
  readonly length: number;
  readonly #columns: RecordColumns;
  /** Where in the columns its first record is. */
  readonly #start: number;

  constructor(columns: RecordColumns, start: number = 0, end: number = columns.sampleIds.length) {
    this.#columns = columns;
    this.#start = start;
    this.length = end - start;
  }

  static of(records: readonly SampleRecord[]): RecordTable {
    return new RecordTable(columnsOf(records));
  }

  /** The records of all tables, one table after the other. */
  static join(tables: readonly RecordTable[]): RecordTable {
    const [first, ...others] = tables;
    if (first !== undefined && others.length === 0) return first;
    return RecordTable.of(tables.flatMap((table) => table.records()));
  }

  /** In memory of their own. */
  sampleIds(): Float64Array {
    return this.#columns.sampleIds.slice(this.#start, this.#start + this.length);
  }

  /** Part of the table's own memory, as are the lengths: to be read only. */
  byteOffsets(): Float64Array {
    return this.#columns.byteOffsets.subarray(this.#start, this.#start + this.length);
  }

  byteLengths(): Float64Array {
    return this.#columns.byteLengths.subarray(this.#start, this.#start + this.length);
  }

  /** 0 where a record has none; null where none has. */
  pinnedTags(): Float64Array | null {
    return this.#columns.pinnedTags?.slice(this.#start, this.#start + this.length) ?? null;
  }

  sampleId(index: number): number {
    return must(this.#columns.sampleIds[this.#start + index], 'a record is asked for');
  }

  location(index: number): string {
    const { locationOf, locations } = this.#columns;
    return locations.text(must(locationOf[this.#start + index], 'a record is asked for'));
  }

  /** The location of all its records; null where they have several. */
  get onlyLocation(): string | null {
    const { locationOf } = this.#columns;
    // The numbers between two that are the same are the same too.
    const isOne = locationOf[this.#start] === locationOf[this.#start + this.length - 1];
    return this.length > 0 && isOne ? this.location(0) : null;
  }

  /** Of all records; those that follow each other with one location have the same string. */
  locations(): string[] {
    const { locationOf, locations } = this.#columns;
    const end = this.#start + this.length;
    const all: string[] = [];
    let last = -1;
    let text = '';
    for (let index = this.#start; index < end; index += 1) {
      const place = locationOf[index] ?? 0;
      if (place !== last) text = locations.text(place);
      last = place;
      all.push(text);
    }
    return all;
  }

  /** Two records that follow each other and have the same number have the same hint. */
  hintNumber(index: number): number {
    return must(this.#columns.hintOf[this.#start + index], 'a record is asked for');
  }

  /** False: no hint has `part` in it, nor has that of any other record of the chunk. */
  mayHint(part: string): boolean {
    return this.#columns.hints.mayHold(part);
  }

  hint(index: number): string {
    return this.#columns.hints.text(this.hintNumber(index));
  }

  record(index: number): SampleRecord {
    const { byteOffsets, byteLengths, hints } = this.#columns;
    const byteOffset = byteOffsets[this.#start + index] ?? -1;
    const byteLength = byteLengths[this.#start + index] ?? -1;
    const isWhole = byteOffset === -1;
    const pinnedTag = this.#columns.pinnedTags?.[this.#start + index] ?? 0;
    return {
      sampleId: this.sampleId(index),
      location: this.location(index),
      byteOffset: isWhole ? null : byteOffset,
      byteLength: isWhole ? null : byteLength,
      ...(isWhole && byteLength !== -1 ? { pinnedBytes: byteLength } : {}),
      ...(pinnedTag > 0 ? { pinnedTag } : {}),
      decodeHint: hints.text(this.hintNumber(index)),
    };
  }

  records(): SampleRecord[] {
    return Array.from({ length: this.length }, (_, index) => this.record(index));
  }

  /** Records [start, end), sharing the columns. */
  slice(start: number, end: number): RecordTable {
    if (start === 0 && end === this.length) return this;
    return new RecordTable(this.#columns, this.#start + start, this.#start + end);
  }

  /**
   * With what is known of whole objects: `bytes` has one number for each record, above 0 where it is. So
   * does `tags`, of objects in stores; null where there are none.
   */
  withPins(bytes: ArrayLike<number>, tags: ArrayLike<number> | null): RecordTable {
    const columns = this.#columns;
    const byteLengths = columns.byteLengths.slice();
    const pinnedTags = tags === null ? undefined : new Float64Array(byteLengths.length);
    for (let index = 0; index < this.length; index += 1) {
      const pinnedBytes = bytes[index] ?? 0;
      const at = this.#start + index;
      if (pinnedBytes > 0 && columns.byteOffsets[at] === -1) byteLengths[at] = pinnedBytes;
      if (pinnedTags !== undefined) pinnedTags[at] = Math.max(0, tags?.[index] ?? 0);
    }
    return new RecordTable(
      { ...columns, byteLengths, ...(pinnedTags === undefined ? {} : { pinnedTags }) },
      this.#start,
      this.#start + this.length,
    );
  }

  /** The records at these places, in their order. */
  pick(indexes: readonly number[]): RecordTable {
    return RecordTable.of(indexes.map((index) => this.record(index)));
  }
}

function columnsOf(records: readonly SampleRecord[]): RecordColumns {
  const count = records.length;
  const columns = newColumns(count);
  const locations: string[] = [];
  const hints: string[] = [];
  const hasTags = records.some(({ pinnedTag }) => pinnedTag !== undefined);
  const pinnedTags = hasTags ? new Float64Array(count) : undefined;
  for (const [index, record] of records.entries()) {
    columns.sampleIds[index] = record.sampleId;
    columns.byteOffsets[index] = record.byteOffset ?? -1;
    columns.byteLengths[index] = record.byteLength ?? record.pinnedBytes ?? -1;
    if (pinnedTags !== undefined) pinnedTags[index] = record.pinnedTag ?? 0;
    if (record.location !== locations.at(-1)) locations.push(record.location);
    columns.locationOf[index] = locations.length - 1;
    if (record.decodeHint !== hints.at(-1)) hints.push(record.decodeHint);
    columns.hintOf[index] = hints.length - 1;
  }
  const texts = { locations: Texts.of(locations), hints: Texts.of(hints) };
  return { ...columns, ...(pinnedTags === undefined ? {} : { pinnedTags }), ...texts };
}

/** Empty columns for so many records. */
export function newColumns(
  count: number,
): Omit<RecordColumns, 'locations' | 'hints' | 'pinnedTags'> {
  return {
    sampleIds: new Float64Array(count),
    byteOffsets: new Float64Array(count),
    byteLengths: new Float64Array(count),
    locationOf: new Uint32Array(count),
    hintOf: new Uint32Array(count),
  };
}
