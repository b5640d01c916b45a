/**
 * The JSON of a Parquet column's values, from the column as it was decoded: byte by byte what `valueText` makes of
 * hyparquet's values, as that is pinned. A type whose values hyparquet makes something else of has none here.
 */
import type { SchemaElement } from 'hyparquet';

import type { ColumnData, ColumnType } from '../core/format/column-data.ts';
import { bitAt } from '../core/format/column-data.ts';
import { putTime } from './iso-time.ts';
import { JsonTexts } from './json-bytes.ts';
import type { JsonBytes } from './json-bytes.ts';
import type { ColumnPlan } from './parquet-schema.ts';

/** How the bytes of a value are read. */
type CellKind =
  | 'bool'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'
  | 'utf8'
  | 'binary'
  | 'bytes'
  | 'day'
  | 'ms'
  | 'us'
  | 'ns';

/** What to decode for rows: what the file stores, not what Arrow would call it. */
export interface CellPlan {
  readonly plan: Exclude<ColumnPlan, { type: 'other' }>;
  readonly kind: CellKind;
}

/** Writes value `index` of a column. */
type Cell = (out: JsonBytes, index: number) => void;

/** Null: by way of hyparquet's values. */
export function cellPlanOf(plan: ColumnPlan): CellPlan | null {
  if (plan.type === 'other') return null;
  const { leaf } = plan;
  const kind = kindOf(leaf.element);
  if (kind === null) return null;
  const isThreeDeep = plan.type === 'flat' || leaf.path.length === 3;
  if (!isThreeDeep) return null;
  return { plan: { ...plan, leaf: { ...leaf, type: storedType(kind, leaf.storedWidth) } }, kind };
}

/** In the order in which hyparquet asks; what it would refuse or take apart is null. */
function kindOf(element: SchemaElement): CellKind | null {
  const { type, converted_type: converted, logical_type: logical } = element;
  switch (type) {
    case 'BOOLEAN':
      return converted === undefined && logical === undefined ? 'bool' : null;
    case 'FLOAT':
      return converted === undefined && logical === undefined ? 'float32' : null;
    case 'DOUBLE':
      return converted === undefined && logical === undefined ? 'float64' : null;
    case 'INT32':
      return kindOf32(element);
    case 'INT64':
      return kindOf64(element);
    case 'BYTE_ARRAY':
      if (logical !== undefined && logical.type !== 'STRING') return null;
      if (converted === 'UTF8' || (converted === undefined && logical !== undefined)) return 'utf8';
      return converted === undefined ? 'binary' : null;
    case 'FIXED_LEN_BYTE_ARRAY':
      return converted === undefined && logical === undefined ? 'bytes' : null;
    default:
      return null;
  }
}

const PLAIN_32: ReadonlySet<string> = new Set([
  'INT_8',
  'INT_16',
  'INT_32',
  'UINT_8',
  'UINT_16',
  'TIME_MILLIS',
]);
const PLAIN_64: ReadonlySet<string> = new Set(['INT_64', 'TIME_MICROS']);

function kindOf32({
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): CellKind | null {
  if (converted === 'DATE') return logical === undefined || logical.type === 'DATE' ? 'day' : null;
  if (converted === 'UINT_32')
    return logical === undefined || logical.type === 'INTEGER' ? 'uint32' : null;
  if (converted !== undefined && !PLAIN_32.has(converted)) return null;
  if (logical === undefined || logical.type === 'TIME' || logical.type === 'DATE') return 'int32';
  if (logical.type !== 'INTEGER' || logical.bitWidth === 64) return null;
  return logical.bitWidth === 32 && !logical.isSigned ? 'uint32' : 'int32';
}

function kindOf64({
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): CellKind | null {
  if (converted === 'TIMESTAMP_MILLIS' || converted === 'TIMESTAMP_MICROS') {
    if (logical !== undefined && logical.type !== 'TIMESTAMP') return null;
    return converted === 'TIMESTAMP_MILLIS' ? 'ms' : 'us';
  }
  if (converted === 'UINT_64')
    return logical === undefined || logical.type === 'INTEGER' ? 'uint64' : null;
  if (converted !== undefined && !PLAIN_64.has(converted)) return null;
  if (logical === undefined || logical.type === 'TIME') return 'int64';
  if (logical.type === 'TIMESTAMP') {
    return ({ MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' } as const)[logical.unit];
  }
  if (logical.type !== 'INTEGER' || logical.bitWidth !== 64) return null;
  return logical.isSigned ? 'int64' : 'uint64';
}

function storedType(kind: CellKind, width: number): ColumnType {
  switch (kind) {
    case 'bool':
    case 'utf8':
    case 'binary':
      return { kind };
    case 'bytes':
      return { kind: 'bytes', width };
    case 'float32':
      return { kind: 'float', bits: 32 };
    case 'float64':
      return { kind: 'float', bits: 64 };
    case 'int32':
    case 'uint32':
    case 'day':
      return { kind: 'int', bits: 32, isSigned: true };
    default:
      return { kind: 'int', bits: 64, isSigned: true };
  }
}

export function cellOf({ plan, kind }: CellPlan, column: ColumnData): Cell {
  if (plan.type === 'flat') return nullable(column, valueCell(kind, column));
  const [items] = column.children;
  const offsets = column.offsets ?? new Int32Array(1);
  const item = items === undefined ? putNull : nullable(items, valueCell(kind, items));
  return nullable(column, (out, index) => {
    const start = offsets[index] as number;
    const end = offsets[index + 1] as number;
    out.byte(OPEN);
    for (let at = start; at < end; at += 1) {
      if (at > start) out.byte(COMMA);
      item(out, at);
    }
    out.byte(CLOSE);
  });
}

const OPEN = 0x5b;
const CLOSE = 0x5d;
const COMMA = 0x2c;

function putNull(out: JsonBytes): void {
  out.ascii('null');
}

function nullable({ validity }: ColumnData, cell: Cell): Cell {
  if (validity === null) return cell;
  return (out, index) => {
    if (bitAt(validity, index)) cell(out, index);
    else putNull(out);
  };
}

function valueCell(kind: CellKind, column: ColumnData): Cell {
  const bytes = column.values ?? new Uint8Array(0);
  switch (kind) {
    case 'bool':
      return (out, index) => out.ascii(bitAt(bytes, index) ? 'true' : 'false');
    case 'utf8':
      return textCell(bytes, column.offsets ?? new Int32Array(1));
    case 'binary':
      return bytesCell(bytes, column.offsets ?? new Int32Array(1));
    case 'bytes':
      return fixedCell(bytes, bytes.length / Math.max(1, column.length));
    case 'float32': {
      const values = new Float32Array(bytes.buffer, bytes.byteOffset, column.length);
      const bits = new Int32Array(bytes.buffer, bytes.byteOffset, column.length);
      return (out, index) => out.float32(values[index] as number, bits[index] as number);
    }
    case 'float64': {
      const values = new Float64Array(bytes.buffer, bytes.byteOffset, column.length);
      return (out, index) => out.number(values[index] as number);
    }
    case 'int32': {
      const values = new Int32Array(bytes.buffer, bytes.byteOffset, column.length);
      return (out, index) => out.whole(values[index] as number);
    }
    case 'uint32': {
      const values = new Uint32Array(bytes.buffer, bytes.byteOffset, column.length);
      return (out, index) => out.whole(values[index] as number);
    }
    case 'day': {
      const values = new Int32Array(bytes.buffer, bytes.byteOffset, column.length);
      return (out, index) => putTime(out, (values[index] as number) * 86_400_000);
    }
    default:
      return longCell(kind, bytes, column.length);
  }
}

function textCell(bytes: Uint8Array, offsets: Int32Array): Cell {
  const texts = new JsonTexts(bytes);
  return (out, index) => texts.write(out, offsets[index] as number, offsets[index + 1] as number);
}

function bytesCell(bytes: Uint8Array, offsets: Int32Array): Cell {
  return (out, index) =>
    out.quoted(base64(bytes, offsets[index] as number, offsets[index + 1] as number));
}

function fixedCell(bytes: Uint8Array, width: number): Cell {
  return (out, index) => out.quoted(base64(bytes, index * width, (index + 1) * width));
}

function base64({ buffer, byteOffset }: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer, byteOffset + start, end - start).toString('base64');
}

/** Units of a time in a millisecond. */
const TICKS = { ms: 1, us: 1e3, ns: 1e6 } as const;

/** Numbers of 64 bits, as two of 32: a `bigint` only where a number does not hold it. */
function longCell(
  kind: 'int64' | 'uint64' | keyof typeof TICKS,
  { buffer, byteOffset }: Uint8Array,
  length: number,
): Cell {
  const lows = new Uint32Array(buffer, byteOffset, length * 2);
  const highs = new Int32Array(buffer, byteOffset, length * 2);
  if (kind === 'int64' || kind === 'uint64') {
    const isSigned = kind === 'int64';
    const large = isSigned
      ? new BigInt64Array(buffer, byteOffset, length)
      : new BigUint64Array(buffer, byteOffset, length);
    const tops = isSigned ? highs : lows;
    return (out, index) => {
      const value = (tops[index * 2 + 1] as number) * 2 ** 32 + (lows[index * 2] as number);
      if (Number.isSafeInteger(value)) out.whole(value);
      else out.quoted(`${large[index] as bigint}`);
    };
  }
  const ticks = TICKS[kind];
  const large = new BigInt64Array(buffer, byteOffset, length);
  return (out, index) => {
    const value = (highs[index * 2 + 1] as number) * 2 ** 32 + (lows[index * 2] as number);
    // Towards zero, as whole numbers are divided.
    putTime(
      out,
      Number.isSafeInteger(value)
        ? (value - (value % ticks)) / ticks
        : Number((large[index] as bigint) / BigInt(ticks)),
    );
  };
}
