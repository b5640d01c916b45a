/** Columns of what decoders give as JavaScript values: nested and rare types, for which no faster way pays. */
import { fieldsOf, packBits, widthOf } from '../core/format/column-data.ts';
import type { ColumnData, ColumnType } from '../core/format/column-data.ts';
import { valueText } from './json-lines.ts';

const encoder = new TextEncoder();
const DAY_MS = 86_400_000;

/** Undefined is null. A value that is not of the type is a `RangeError`. */
export function columnOf(type: ColumnType, values: readonly unknown[]): ColumnData {
  const length = values.length;
  const present = Uint8Array.from(values, (value) => (isNull(value) ? 0 : 1));
  const nullCount = length - present.reduce((sum, one) => sum + one, 0);
  const validity = nullCount === 0 ? null : packBits(present, length);
  const plain = { type, length, nullCount, validity, offsets: null, children: [] };
  switch (type.kind) {
    case 'null':
      return { ...plain, nullCount: length, validity: null, values: null };
    case 'bool':
      return {
        ...plain,
        values: packBits(
          Uint8Array.from(values, (value) => (value === true ? 1 : 0)),
          length,
        ),
      };
    case 'utf8':
    case 'binary':
      return {
        ...plain,
        ...joined(values.map((value) => (isNull(value) ? EMPTY : bytesOf(value, type)))),
      };
    case 'list': {
      const lists = values.map((value) => (isNull(value) ? [] : listOf(value)));
      const items = columnOf(type.item.type, lists.flat());
      return { ...plain, values: null, offsets: offsetsOf(lists), children: [items] };
    }
    case 'struct': {
      const children = fieldsOf(type).map(({ name, type: of }) =>
        columnOf(
          of,
          values.map((value) => fieldOf(value, name)),
        ),
      );
      return { ...plain, values: null, children };
    }
    case 'map':
    case 'fixed_list':
      throw new RangeError(`a ${type.kind} of values`);
    default:
      return { ...plain, values: numbersOf(type, values) };
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

function isNull(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** Texts, bytes, and of anything else its JSON. */
function bytesOf(value: unknown, { kind }: ColumnType): Uint8Array {
  if (typeof value === 'string') return encoder.encode(value);
  if (kind === 'binary' && value instanceof Uint8Array) return value;
  return encoder.encode(valueText(value));
}

function joined(parts: readonly Uint8Array[]): Pick<ColumnData, 'values' | 'offsets'> {
  const offsets = offsetsOf(parts);
  const values = new Uint8Array(offsets.at(-1) ?? 0);
  for (const [index, part] of parts.entries()) values.set(part, offsets[index]);
  return { values, offsets };
}

function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(parts.length + 1);
  let end = 0;
  for (const [index, { length }] of parts.entries()) {
    end += length;
    offsets[index + 1] = end;
  }
  return offsets;
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  throw new RangeError('a list that is none');
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return null;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** One value at a time: what is so is rare. */
function numbersOf(type: ColumnType, values: readonly unknown[]): Uint8Array {
  const width = widthOf(type);
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) {
    if (isNull(value)) continue;
    const at = index * width;
    if (value instanceof Uint8Array) bytes.set(value.subarray(0, width), at);
    else if (type.kind === 'float') setFloat(view, at, width, Number(value));
    else setWhole(view, at, width, wholeOf(type, value));
  }
  return bytes;
}

function setFloat(view: DataView, at: number, width: number, value: number): void {
  if (width === 8) view.setFloat64(at, value, true);
  else if (width === 4) view.setFloat32(at, value, true);
  else throw new RangeError('a half float of a value');
}

function setWhole(view: DataView, at: number, width: number, value: bigint): void {
  if (width === 8) view.setBigInt64(at, BigInt.asIntN(64, value), true);
  else if (width === 4) view.setInt32(at, Number(BigInt.asIntN(32, value)), true);
  else if (width === 2) view.setInt16(at, Number(BigInt.asIntN(16, value)), true);
  else view.setInt8(at, Number(BigInt.asIntN(8, value)));
}

/** Times come as objects of JavaScript, in milliseconds. */
function wholeOf(type: ColumnType, value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  const number = Number(value);
  if (!Number.isFinite(number)) throw new RangeError('a time or whole number that is none');
  const isDays = type.kind === 'date' && type.unit === 'day' && typeof value === 'object';
  return BigInt(Math.floor(isDays ? number / DAY_MS : number));
}
