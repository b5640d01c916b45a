/** Rows of tables as lines of JSON, in pieces. */
import type { JsonBytes } from './json-bytes.ts';
import { UNPACK_CHUNK_BYTES } from './limits.ts';
import type { UnpackedChunk } from './unpack.ts';

const encoder = new TextEncoder();

/** Rows 0 to `count` of the group of rows at byte `frameAt`; `textOf` gives the JSON of one. */
export function* jsonLines(
  count: number,
  textOf: (row: number) => string,
  frameAt: number,
): Generator<UnpackedChunk, void, undefined> {
  let offset = 0;
  let text = '';
  for (let row = 0; row < count; row += 1) {
    text += `${textOf(row)}\n`;
    if (text.length < UNPACK_CHUNK_BYTES && row < count - 1) continue;
    const bytes = encoder.encode(text);
    yield { bytes, frameAt, offset };
    offset += bytes.length;
    text = '';
  }
}

/** Writes the value of a row; false: it has none. */
export type RowCell = (out: JsonBytes, row: number) => boolean | void;

export interface CellColumn {
  /** As JSON has it before the value. */
  readonly key: string;
  readonly cell: RowCell;
}

/** The same of columns, which are written straight into `out`: a piece is valid until the next is asked for. */
export function* cellLines(
  count: number,
  columns: readonly CellColumn[],
  frameAt: number,
  out: JsonBytes,
): Generator<UnpackedChunk, void, undefined> {
  const cells = columns.map(({ key, cell }) => ({ key: encoder.encode(`,${key}`), cell }));
  let offset = 0;
  out.empty();
  for (let row = 0; row < count; row += 1) {
    writeRow(out, cells, row);
    if (out.length < UNPACK_CHUNK_BYTES && row < count - 1) continue;
    const { length } = out;
    yield { bytes: out.bytes.subarray(0, length), frameAt, offset };
    offset += length;
    out.empty();
  }
}

interface EncodedCell {
  /** With the comma before it. */
  readonly key: Uint8Array;
  readonly cell: RowCell;
}

function writeRow(out: JsonBytes, cells: readonly EncodedCell[], row: number): void {
  const start = out.length;
  for (const { key, cell } of cells) {
    const before = out.length;
    out.put(key);
    if (cell(out, row) === false) out.length = before;
  }
  // The first comma becomes what begins the row.
  if (out.length === start) out.byte(OPEN);
  else out.bytes[start] = OPEN;
  out.byte(CLOSE);
  out.byte(NEWLINE);
}

const OPEN = 0x7b;
const CLOSE = 0x7d;
const NEWLINE = 0x0a;

/** As `JSON.stringify` with `plainly` writes the object, three times as fast: most values are no objects. */
export function rowText(row: Readonly<Record<string, unknown>>): string {
  let text = '';
  for (const name in row) {
    const value = row[name];
    if (value !== undefined)
      text += `${text === '' ? '{' : ','}${keyText(name)}${valueText(value)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** The name of a column as JSON has it before a value. The columns of a file are few, and come again with each row. */
const keys: Map<string, string> = new Map();
const KEYS_MAX = 4096;

export function keyText(name: string): string {
  const known = keys.get(name);
  if (known !== undefined) return known;
  if (keys.size === KEYS_MAX) keys.clear();
  const text = `${JSON.stringify(name)}:`;
  keys.set(name, text);
  return text;
}

export function valueText(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? `${value}` : `"${value}"`;
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? `${value}` : `"${value}"`;
    case 'object':
      if (value === null) return 'null';
      if (isNumbers(value)) return listText(value);
      return JSON.stringify(value, plainly);
    default:
      return 'null';
  }
}

function isNumbers(value: object): value is readonly number[] {
  if (value instanceof Float32Array || value instanceof Float64Array) return true;
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number');
}

function listText(values: ArrayLike<number>): string {
  let text = '[';
  for (let index = 0; index < values.length; index += 1) {
    text += index === 0 ? valueText(values[index]) : `,${valueText(values[index])}`;
  }
  return `${text}]`;
}

/** What JSON has no word for: whole numbers beyond 2^53 and bytes become texts, NaN and infinities too. */
function plainly(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : value;
}
