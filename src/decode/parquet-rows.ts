/**
 * The rows of a Parquet file as lines of JSON, row group by row group: what a compressed file of JSON lines would
 * be, with its row groups for frames. A row group is decoded as a whole, as its columns lie one after the other.
 */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadata, parquetReadObjects, snappyUncompress } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData, RowGroup } from 'hyparquet';

import { FormatError } from '../core/format/format-error.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { lz4Block } from '../core/format/lz4.ts';
import { jsonLines, rowText } from './json-lines.ts';
import {
  PARQUET_FOOTER_BYTES_MAX,
  PARQUET_FOOTER_GUESS_BYTES,
  TABLE_GROUP_BYTES_MAX,
  TABLE_GROUP_ROWS_MAX,
} from './limits.ts';
import type { TableFile } from './table-file.ts';
import { readAll } from './table-file.ts';
import type { UnpackedChunk } from './unpack.ts';

/** `PAR1`, at both ends of the file. */
const MAGIC = 0x31524150;
const TAIL_BYTES = 8;

/** From the row group at byte `from` of the file on; 0: from the first. */
export async function* parquetRows(
  parquet: TableFile,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const { source, location, signal } = parquet;
  const size = await source.sizeOf(location, signal);
  const metadata = await readFooter(parquet, size);
  checkColumns(metadata, parquet.columns, size);
  const file = bufferOf(parquet, size);
  let rowStart = 0;
  let isFound = from === 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const at = startOf(group);
    isFound ||= at === from;
    if (isFound && rows > 0) {
      yield* groupRows(parquet, file, metadata, { group, at, rowStart, rows });
    }
    rowStart += rows;
  }
  if (!isFound)
    throw new FormatError('no row group of the file starts there: it has changed', from);
}

interface Group {
  readonly group: RowGroup;
  readonly at: number;
  readonly rowStart: number;
  readonly rows: number;
}

async function* groupRows(
  { columns }: TableFile,
  file: AsyncBuffer,
  metadata: FileMetaData,
  { group, at, rowStart, rows }: Group,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  checkGroup(group, columns, at);
  const budget = { bytes: 0 };
  const decoded = await parquetReadObjects({
    file,
    metadata,
    ...(columns === null ? {} : { columns: [...columns] }),
    rowStart,
    rowEnd: rowStart + rows,
    compressors: compressorsFor(budget, at),
    utf8: false,
  }).catch((error: unknown) => {
    if (error instanceof FormatError || error instanceof Mx8Error) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`a Parquet row group that cannot be decoded (${reason})`, at);
  });
  if (decoded.length !== rows) {
    const what = `a Parquet row group of ${rows} rows has ${decoded.length}`;
    throw new FormatError(what, at);
  }
  yield* jsonLines(rows, (row) => rowText(decoded[row] ?? {}), at);
}

async function readFooter(
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
    return parquetMetadata(footer.buffer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`a damaged Parquet footer (${reason})`, footerAt);
  }
}

function bufferOf(file: TableFile, size: number): AsyncBuffer {
  return {
    byteLength: size,
    async slice(start, end = size) {
      const from = start < 0 ? size + start : start;
      const bytes = Math.min(end, size) - from;
      if (from < 0 || bytes < 0 || bytes > TABLE_GROUP_BYTES_MAX) {
        throw new FormatError(`a Parquet column from byte ${start} to ${end} of ${size}`, 0);
      }
      return (await readAll(file, from, bytes)).buffer;
    },
  };
}

/** Where in the file its first page is. */
function startOf(group: RowGroup): number {
  let first = Infinity;
  for (const { meta_data: column } of group.columns) {
    if (column === undefined) continue;
    const { dictionary_page_offset: dictionary, data_page_offset: data } = column;
    const at = Number(
      dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data,
    );
    first = Math.min(first, at);
  }
  return first === Infinity ? 0 : first;
}

function checkColumns(
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
function checkGroup(group: RowGroup, columns: readonly string[] | null, at: number): void {
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

function checkBytes(bytes: number, at: number): void {
  if (bytes <= TABLE_GROUP_BYTES_MAX) return;
  const what = `a Parquet row group of ${bytes} bytes, decompressed; at most ${TABLE_GROUP_BYTES_MAX} can be decoded at a time`;
  throw new FormatError(`${what}: choose fewer columns, or write it with smaller row groups`, at);
}

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;

function compressorsFor(budget: { bytes: number }, at: number): Compressors {
  const within =
    (decompress: Decompress): Decompress =>
    (input, outputLength) => {
      budget.bytes += outputLength;
      checkBytes(budget.bytes, at);
      return decompress(input, outputLength);
    };
  return {
    GZIP: within((input, maxOutputLength) => gunzipSync(input, { maxOutputLength })),
    BROTLI: within((input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength })),
    ZSTD: within((input, maxOutputLength) => zstdDecompressSync(input, { maxOutputLength })),
    LZ4_RAW: within((input, outputLength) => {
      const output = new Uint8Array(outputLength);
      lz4Block(input, output);
      return output;
    }),
    SNAPPY: within((input, outputLength) => {
      const output = new Uint8Array(outputLength);
      snappyUncompress(input, output);
      return output;
    }),
  };
}
