/**
 * Samples of compressed shards. Their record names the compressed bytes from a place on where decompressing
 * can begin (the start of the file, or of a zstd frame), and their hint which part of what comes out they are:
 * `mx8:jsonl;codec=gzip;start=1024;bytes=200;crc32=0badcafe`.
 */
import { CODECS, TABLE_FORMATS, tableFormatOf } from './format-name.ts';
import type { PartCodec, TableFormat } from './format-name.ts';
import { percentDecoded, percentEncoded } from './percent.ts';

export interface CodedPart {
  readonly codec: PartCodec;
  /** Of a format with columns: what a row is made of; null: all columns. Null for others. */
  readonly columns: readonly string[] | null;
  /**
   * Of rows as columns: rows [start, end) of their group are what comes out, as an Arrow IPC stream. Null: what comes out
   * are lines.
   */
  readonly rows: RowRange | null;
  /** Bytes [start, start + bytes) of the decompressed stream. */
  readonly start: number;
  readonly bytes: number;
  readonly crc32: number;
}

export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** What every hint of such a sample has in it. */
export const CODED_MARK = ';codec=';
const COLUMNS_MARK = ';columns=';
const ROWS_MARK = ';rows=';
const ROWS = /^mx8:[a-z]+;rows=(\d{1,15})-(\d{1,15});/;
const PART_CODECS: readonly PartCodec[] = [...CODECS, ...TABLE_FORMATS];
const TAIL = /;codec=([a-z]+);start=(\d{1,16});bytes=([1-9]\d{0,15});crc32=([0-9a-f]{8})$/;

export function codedHint(hint: string, part: Omit<CodedPart, 'columns' | 'rows'>): string {
  const crc32 = part.crc32.toString(16).padStart(8, '0');
  return `${hint}${CODED_MARK}${part.codec};start=${part.start};bytes=${part.bytes};crc32=${crc32}`;
}

/** The hint without how its bytes are compressed. */
export function uncodedHint(hint: string): string {
  const at = hint.indexOf(CODED_MARK);
  return at === -1 || !hint.startsWith('mx8:') ? hint : hint.slice(0, at);
}

/** Null when the bytes of the record are those of the sample. */
export function codedPartOf(hint: string): CodedPart | null {
  if (!hint.startsWith('mx8:') || !hint.includes(CODED_MARK)) return null;
  const match = TAIL.exec(hint);
  const codec = PART_CODECS.find((name) => name === match?.[1]);
  const start = Number(match?.[2]);
  const bytes = Number(match?.[3]);
  if (codec === undefined || !Number.isSafeInteger(start + bytes)) return null;
  const isTable = tableFormatOf(codec) !== null;
  const columns = isTable ? columnsOf(hint) : null;
  const rows = isTable && hint.includes(ROWS_MARK) ? rowsOf(hint) : null;
  return { codec, columns, rows, start, bytes, crc32: Number.parseInt(match?.[4] ?? '', 16) };
}

/** The hint of a row of these columns, or of `rows` of a group as columns; null: all columns. */
export function tableHint(
  format: TableFormat,
  columns: readonly string[] | null,
  rows: RowRange | null = null,
): string {
  const range = rows === null ? '' : `${ROWS_MARK}${rows.start}-${rows.end}`;
  const list = columns === null ? '' : `${COLUMNS_MARK}${columns.map(percentEncoded).join(',')}`;
  return `mx8:${format}${range}${list}`;
}

function rowsOf(hint: string): RowRange | null {
  const match = ROWS.exec(hint);
  return match === null ? null : { start: Number(match[1]), end: Number(match[2]) };
}

/** The list that was seen last: the samples of a data set have the same, and there are millions of them. */
const seen: { list: string; columns: readonly string[] } = { list: '', columns: [''] };

function columnsOf(hint: string): readonly string[] | null {
  const start = hint.indexOf(COLUMNS_MARK);
  if (start === -1) return null;
  const from = start + COLUMNS_MARK.length;
  const end = hint.indexOf(';', from);
  const list = hint.slice(from, end === -1 ? undefined : end);
  if (list !== seen.list) {
    seen.list = list;
    seen.columns = list.split(',').map(percentDecoded);
  }
  return seen.columns;
}
