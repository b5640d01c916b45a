/**
 * Whether the pages of a column are such that hyparquet reads them to an end. It trusts what they say: without the length of
 * its levels, or with a run of a thousand million values, it would go on for ever, or until there is no memory.
 * What it would refuse by itself is left to it.
 */
import type { ColumnMetaData, Compressors, PageHeader, SchemaElement } from 'hyparquet';

import { SHARED_BYTES_MAX, TABLE_VALUES_MAX } from './limits.ts';
import { ByteReader, bitsAt } from './parquet-levels.ts';
import { readHeader } from './parquet-thrift.ts';
import { skipDeltas } from './parquet-values.ts';

export interface CheckedColumn {
  readonly meta: ColumnMetaData;
  readonly element: SchemaElement;
  readonly repetitionMax: number;
  readonly definitionMax: number;
  /** Of a column that is not nested, after which nothing is read; null where it is. */
  readonly rows: number | null;
}

/** More than its column has values is in no run, but for what fills up packed ones. */
const RUN_SLACK_VALUES = 65_536;

/** `bytes` are all of its pages. What is damaged is a `RangeError`. */
export function checkPages(
  bytes: Uint8Array,
  column: CheckedColumn,
  compressors: Compressors,
): void {
  const reader = new ByteReader(bytes);
  let left = column.rows ?? Infinity;
  while (left > 0 && reader.left > 1) {
    const header = readHeader(reader);
    const packed = reader.take(header.compressed_page_size);
    if (header.type === 'DATA_PAGE') left -= checkFirst(header, packed, column, compressors);
    else if (header.type === 'DATA_PAGE_V2')
      left -= checkSecond(header, packed, column, compressors);
    else if (header.type === 'DICTIONARY_PAGE')
      checkCount(header.dictionary_page_header?.num_values);
  }
  if (column.rows !== null && left > 0) {
    throw new RangeError(`a column of ${column.rows - left} values for ${column.rows} rows`);
  }
}

/** Gives how many values are found in it. */
function checkFirst(
  { data_page_header: header, uncompressed_page_size: size }: PageHeader,
  packed: Uint8Array,
  column: CheckedColumn,
  compressors: Compressors,
): number {
  const slots = checkCount(header?.num_values);
  const page = unpacked(packed, size, column.meta, compressors);
  if (page === null) return slots;
  const reader = new ByteReader(page);
  const levels = (max: number): number => {
    if (max === 0) return slots;
    const bytes = reader.uint32();
    const start = reader.at;
    const present = checkLevels(reader, max, slots);
    reader.at = start;
    reader.skip(bytes);
    return present;
  };
  levels(column.repetitionMax);
  const count = levels(column.definitionMax);
  checkValues(reader, header?.encoding, count, column.element, false);
  return slots;
}

function checkSecond(
  { data_page_header_v2: header, uncompressed_page_size: size }: PageHeader,
  packed: Uint8Array,
  column: CheckedColumn,
  compressors: Compressors,
): number {
  const slots = checkCount(header?.num_values);
  const count = checkCount(slots - checkCount(header?.num_nulls));
  const reader = new ByteReader(packed);
  let levelBytes = 0;
  for (const [bytes, max] of [
    [header?.repetition_levels_byte_length, column.repetitionMax],
    [header?.definition_levels_byte_length, column.definitionMax],
  ] as const) {
    if (max > 0) checkLevels(new ByteReader(packed, levelBytes), max, slots);
    levelBytes += reader.take(checkCount(bytes)).length;
  }
  const rest = reader.take(reader.left);
  const isPlain = header?.is_compressed === false || size === levelBytes;
  const page = isPlain ? rest : unpacked(rest, size - levelBytes, column.meta, compressors);
  if (page !== null)
    checkValues(new ByteReader(page), header?.encoding, count, column.element, true);
  return column.definitionMax === 0 ? count : slots;
}

function checkCount(count: unknown): number {
  // Of a damaged header not all is there that its type says.
  if (typeof count !== 'number') throw new RangeError('a page that does not say how much is in it');
  if (count >= 0 && count <= TABLE_VALUES_MAX) return count;
  throw new RangeError(`a page of ${count} values; at most ${TABLE_VALUES_MAX} can be decoded`);
}

/** Null: of a kind that hyparquet has nothing to decompress with, or of a size that it would refuse. */
function unpacked(
  packed: Uint8Array,
  size: number,
  { codec }: ColumnMetaData,
  compressors: Compressors,
): Uint8Array | null {
  if (codec === 'UNCOMPRESSED') return packed;
  if (!(size >= 0)) throw new RangeError(`a page of ${size} bytes`);
  return compressors[codec]?.(packed, size) ?? null;
}

/** Gives how many of them are `max`. */
function checkLevels(reader: ByteReader, max: number, slots: number): number {
  return checkRuns(reader, 32 - Math.clz32(max), slots, max);
}

/** Gives how many of `count` are `wanted`; null: nobody asks. */
function checkRuns(
  reader: ByteReader,
  width: number,
  count: number,
  wanted: number | null,
): number {
  let found = 0;
  for (let done = 0; done < count;) {
    const header = reader.varint();
    const isPacked = header % 2 === 1;
    const values = Math.floor(header / 2) * (isPacked ? 8 : 1);
    const length = Math.min(values, count - done);
    if (values > length + RUN_SLACK_VALUES) {
      throw new RangeError(`a run of ${values} values where ${length} are left`);
    }
    if (isPacked) {
      const start = reader.at * 8;
      for (let index = 0; wanted !== null && index < length; index += 1) {
        if (bitsAt(reader.view, start + index * width, width) === wanted) found += 1;
      }
      // hyparquet takes a byte of any, even where it needs none of it.
      reader.skip(Math.min(Math.max(1, (values / 8) * width), reader.left));
    } else {
      const bytes = reader.take(Math.ceil(width / 8));
      if (wanted !== null && bytes[0] === wanted) found += length;
    }
    done += length;
  }
  return found;
}

function checkValues(
  reader: ByteReader,
  encoding: string | undefined,
  count: number,
  { type }: SchemaElement,
  isSecond: boolean,
): void {
  switch (encoding) {
    case 'RLE':
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY': {
      const isDictionary = encoding !== 'RLE';
      const hasWidth = isSecond ? isDictionary : type !== 'BOOLEAN';
      if (!hasWidth) reader.skip(4);
      const width = hasWidth ? reader.uint8() : 1;
      if (width > 0 || isSecond) checkRuns(reader, width, count, null);
      return;
    }
    case 'DELTA_BINARY_PACKED':
    case 'DELTA_LENGTH_BYTE_ARRAY':
      if (count > 0) skipDeltas(reader, count);
      return;
    case 'DELTA_BYTE_ARRAY':
      if (count > 0) checkShared(skipDeltas(reader, count), skipDeltas(reader, count));
      return;
    default:
  }
}

/** Of texts that begin as the one before: each becomes as long as it is, however few bytes say so. */
function checkShared(prefixes: Int32Array, suffixes: Int32Array): void {
  let last = 0;
  let total = 0;
  for (let index = 0; index < prefixes.length; index += 1) {
    const prefix = prefixes[index] as number;
    if (prefix < 0 || prefix > last) {
      throw new RangeError(`a text with ${prefix} bytes of one of ${last}`);
    }
    last = prefix + (suffixes[index] as number);
    total += last;
  }
  if (total > SHARED_BYTES_MAX) {
    throw new RangeError(`texts of ${total} bytes; at most ${SHARED_BYTES_MAX} can be decoded`);
  }
}
