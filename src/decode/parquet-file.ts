/**
 * What a Parquet file says of itself, and reading its parts: the footer, row groups, and decompressing pages within
 * a budget. A row group is decoded as a whole, as its columns lie one after the other.
 */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadata } from 'hyparquet';
import type {
  AsyncBuffer,
  ColumnMetaData,
  Compressors,
  FileMetaData,
  RowGroup,
  SchemaElement,
} from 'hyparquet';
import { markGeoColumns } from 'hyparquet/src/geoparquet.js';

import { FormatError } from '../core/format/format-error.ts';
import { lz4Block } from '../core/format/lz4.ts';
import { snappyBlock } from '../core/format/snappy.ts';
import {
  PARQUET_FOOTER_BYTES_MAX,
  PARQUET_FOOTER_GUESS_BYTES,
  TABLE_GROUP_BYTES_MAX,
  TABLE_GROUP_ROWS_MAX,
} from './limits.ts';
import { checkThrift } from './parquet-thrift.ts';
import type { TableFile } from './table-file.ts';
import { readAll } from './table-file.ts';

/** `PAR1`, at both ends of the file. */
const MAGIC = 0x31524150;
const TAIL_BYTES = 8;
/** Where a page fills its piece, zlib makes a second one. */
const PAGE_SLACK_BYTES = 64;

export async function readFooter(
  { source, location, signal }: TableFile,
  size: number,
): Promise<FileMetaData> {
  const last = new Uint8Array(Math.min(size, PARQUET_FOOTER_GUESS_BYTES));
  await source.read(location, size - last.length, last, signal);
  const tailAt = Math.max(0, size - TAIL_BYTES);
  const view = new DataView(last.buffer, Math.max(0, last.length - TAIL_BYTES));
  if (size < TAIL_BYTES || view.getUint32(4, true) !== MAGIC) {
    throw new FormatError('no Parquet file: it does not end in PAR1, so it may be cut off', tailAt);
  }
  const length = view.getUint32(0, true);
  if (length > PARQUET_FOOTER_BYTES_MAX || length + TAIL_BYTES > size) {
    const what = `a Parquet footer of ${length} bytes in a file of ${size}; at most ${PARQUET_FOOTER_BYTES_MAX} are read`;
    throw new FormatError(what, tailAt);
  }
  const footerAt = size - length - TAIL_BYTES;
  let footer = last.slice(-length - TAIL_BYTES);
  if (footer.length < length + TAIL_BYTES) {
    footer = new Uint8Array(length + TAIL_BYTES);
    await source.read(location, footerAt, footer, signal);
  }
  try {
    checkThrift(footer.subarray(0, length));
    const metadata = parquetMetadata(footer.buffer, { geoparquet: false });
    checkSchema(metadata.schema);
    checkPlaces(metadata.row_groups);
    // It passes over the children of an element, and would go back for ever where there are fewer than none.
    markGeoColumns(metadata.schema, metadata.key_value_metadata);
    return metadata;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`a damaged Parquet footer (${reason})`, footerAt);
  }
}

/** That the children of its elements, which follow each, are there, and that lists and maps have any. */
function checkSchema(schema: readonly SchemaElement[]): void {
  let missing = 1;
  for (const { name, num_children: children = 0, converted_type: converted } of schema) {
    if (children === 0 && (converted === 'LIST' || converted === 'MAP')) {
      throw new RangeError(`${JSON.stringify(name)} is a ${converted} of nothing in its schema`);
    }
    if (!Number.isInteger(children) || children < 0) {
      throw new RangeError(`${JSON.stringify(name)} has ${children} children in its schema`);
    }
    // What comes behind the last of them is nobody's child.
    if (missing > 0) missing += children - 1;
  }
  if (missing > 0) throw new RangeError(`its schema ends ${missing} elements too early`);
}

/** That each column says where it begins, by which a row group is found. */
function checkPlaces(groups: readonly RowGroup[]): void {
  for (const [index, { columns }] of groups.entries()) {
    for (const { meta_data: column } of columns) {
      // Of a damaged footer not all is there that its type says.
      const place: unknown = column?.data_page_offset;
      if (column === undefined || typeof place === 'bigint') continue;
      throw new RangeError(`row group ${index} does not say where each of its columns begins`);
    }
  }
}

export function bufferOf(file: TableFile, size: number): AsyncBuffer {
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const from = start < 0 ? size + start : start;
    const bytes = Math.min(end, size) - from;
    if (!(from >= 0 && bytes >= 0 && bytes <= TABLE_GROUP_BYTES_MAX)) {
      throw new FormatError(`a Parquet column from byte ${start} to ${end} of ${size}`, 0);
    }
    return (await readAll(file, from, bytes)).buffer;
  };
  return {
    byteLength: size,
    slice(start, end = size) {
      const reading = read(start, end);
      // What is read ahead may never be asked for: a failure of it is nobody's.
      reading.catch(() => undefined);
      return reading;
    },
  };
}

/** Where in the file its first page is. */
export function startOf(group: RowGroup): number {
  let first = Infinity;
  for (const { meta_data: column } of group.columns) {
    if (column !== undefined) first = Math.min(first, firstPageOf(column));
  }
  return first === Infinity ? 0 : first;
}

function firstPageOf({
  dictionary_page_offset: dictionary,
  data_page_offset: data,
}: ColumnMetaData): number {
  return Number(
    dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data,
  );
}

/** The bytes of one column of a row group. */
export function chunkRange(
  column: ColumnMetaData,
  size: number,
): { readonly start: number; readonly end: number } {
  const start = firstPageOf(column);
  const end = start + Number(column.total_compressed_size);
  checkRange(start, end, size);
  return { start, end };
}

function checkRange(start: number, end: number, size: number): void {
  if (start >= 0 && end >= start && end <= size && end - start <= TABLE_GROUP_BYTES_MAX) return;
  throw new FormatError(`a Parquet column from byte ${start} to ${end} of ${size}`, 0);
}

export function checkColumns(
  { schema }: FileMetaData,
  columns: readonly string[] | null,
  size: number,
): void {
  for (const name of columns ?? []) {
    if (schema.some((element, index) => index > 0 && element.name === name)) continue;
    throw new FormatError(`the file has no column ${JSON.stringify(name)}`, size);
  }
}

/** By what the footer says; what pages say is checked as they are decompressed. */
export function checkGroup(group: RowGroup, columns: readonly string[] | null, at: number): void {
  let bytes = 0;
  for (const { meta_data: column } of group.columns) {
    const name = column?.path_in_schema[0] ?? '';
    if (columns === null || columns.includes(name)) {
      bytes += Number(column?.total_uncompressed_size ?? 0);
    }
  }
  checkBytes(bytes, at);
  if (group.num_rows <= TABLE_GROUP_ROWS_MAX) return;
  const what = `a Parquet row group of ${group.num_rows} rows; at most ${TABLE_GROUP_ROWS_MAX} can be decoded at a time`;
  throw new FormatError(`${what}: write the file with smaller row groups`, at);
}

export function checkBytes(bytes: number, at: number): void {
  if (bytes <= TABLE_GROUP_BYTES_MAX) return;
  const what = `a Parquet row group of ${bytes} bytes, decompressed; at most ${TABLE_GROUP_BYTES_MAX} can be decoded at a time`;
  throw new FormatError(`${what}: choose fewer columns, or write it with smaller row groups`, at);
}

/** Of one page: all of what comes out, which has `outputLength` bytes. */
export type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;

/** A page comes out in one piece: in zlib's usual ones of 16 KiB it takes twice as long. */
export function unzipOptions(bytes: number): {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
} {
  return { maxOutputLength: Math.max(1, bytes), chunkSize: bytes + PAGE_SLACK_BYTES };
}

/** Within a budget for each row group. */
export function compressorsFor(budget: { bytes: number }, at: number): Compressors {
  const within =
    (decompress: Decompress): Decompress =>
    (input, outputLength) => {
      budget.bytes += outputLength;
      checkBytes(budget.bytes, at);
      return decompress(input, outputLength);
    };
  return {
    GZIP: within((input, bytes) => gunzipSync(input, unzipOptions(bytes))),
    BROTLI: within((input, bytes) => brotliDecompressSync(input, unzipOptions(bytes))),
    ZSTD: within((input, bytes) => zstdDecompressSync(input, unzipOptions(bytes))),
    LZ4_RAW: within((input, outputLength) => {
      const output = new Uint8Array(outputLength);
      lz4Block(input, output);
      return output;
    }),
    SNAPPY: within((input, outputLength) => {
      const output = new Uint8Array(outputLength);
      snappyBlock(input, output);
      return output;
    }),
  };
}
