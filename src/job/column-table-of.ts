/** `columnTable()`: columns of what a job has made, to be written by `parquet()`. */
import type { ColumnData, ColumnType } from '../core/format/column-data.ts';
import { ColumnTable, TableColumn } from '../core/format/column-table.ts';
import type { ColumnValues } from '../core/format/column-table.ts';
import { columnOf } from '../decode/column-of-values.ts';
import { arrowType } from './parquet-arrow-types.ts';
import { PARQUET_TYPES, Unfit, columnKind, typeOfValue } from './parquet-types.ts';
import type { ParquetColumnType } from './parquet-types.ts';

export type NumberArray = ColumnValues | Uint8ClampedArray;

/**
 * A number for each row; `{ values, stride }`: so many numbers for each row, as lists (vectors, for example); a value for
 * each row, of which any may be null; or a column of `sample.columns()`.
 */
export type ColumnSource =
  | NumberArray
  | { readonly values: NumberArray; readonly stride: number }
  | readonly unknown[]
  | TableColumn;

/**
 * Columns of one length. Numbers are kept as they lie in memory; other values are texts, numbers (as `double`), bigints,
 * booleans, `Date`s, `Uint8Array`s and lists of them, or what `types` says, in the words of `parquet()`.
 */
export function columnTable(
  columns: Readonly<Record<string, ColumnSource>>,
  types: Readonly<Record<string, ParquetColumnType>> = {},
): ColumnTable {
  for (const [name, type] of Object.entries(types)) {
    if (!Object.hasOwn(columns, name)) throw bad(name, 'it has a type and no values');
    if (!PARQUET_TYPES.includes(type)) {
      throw bad(name, `${JSON.stringify(type)} is no type of parquet()`);
    }
  }
  const list = Object.entries(columns).map(([name, source]) => {
    const data = dataOf(name, source, types[name] ?? null);
    return new TableColumn({ name, type: data.type, isNullable: true }, data);
  });
  const [first] = list;
  if (first === undefined) throw new TypeError('columnTable(): there is no column');
  for (const { name, length } of list) {
    if (length === first.length) continue;
    throw bad(name, `it has ${length} values, and column "${first.name}" has ${first.length}`);
  }
  return new ColumnTable(first.length, list);
}

function dataOf(name: string, source: ColumnSource, type: ParquetColumnType | null): ColumnData {
  if (source instanceof TableColumn || isColumn(source)) return source.data;
  if (Array.isArray(source)) return valuesOf(name, source, type);
  const isNumbers = ArrayBuffer.isView(source);
  const { values, stride = null } = (isNumbers ? { values: source } : source) as {
    readonly values?: unknown;
    readonly stride?: number | null;
  };
  const items = ArrayBuffer.isView(values) ? numbers(values) : null;
  if (items === null) {
    throw bad(name, 'it is no typed array, { values, stride }, array or column of a table');
  }
  if (type !== null) {
    throw bad(name, 'typed arrays have their type; leave it out, or make it an array');
  }
  if (stride === null) return items;
  if (!Number.isSafeInteger(stride) || stride < 1 || items.length % stride !== 0) {
    throw bad(name, `${items.length} values are not lists of ${stride}`);
  }
  const item = { name: 'item', type: items.type, isNullable: true };
  return {
    ...plain({ kind: 'fixed_list', item, size: stride }, items.length / stride),
    children: [items],
  };
}

/** Also of another copy of the package. */
function isColumn(source: unknown): source is TableColumn {
  return typeof source === 'object' && source !== null && 'data' in source && 'nullCount' in source;
}

function plain(type: ColumnType, length: number): ColumnData {
  const none = { validity: null, values: null, offsets: null, children: [] };
  return { type, length, nullCount: 0, ...none };
}

function numbers(view: ArrayBufferView): ColumnData | null {
  const type = numberType(view);
  if (type === null) return null;
  const values = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const width = (type.kind === 'int' || type.kind === 'float' ? type.bits : 8) / 8;
  return { ...plain(type, view.byteLength / width), values };
}

function numberType(view: ArrayBufferView): ColumnType | null {
  const whole = (bits: 8 | 16 | 32 | 64, isSigned: boolean): ColumnType => ({
    kind: 'int',
    bits,
    isSigned,
  });
  switch (Object.prototype.toString.call(view).slice(8, -1)) {
    case 'Float32Array':
      return { kind: 'float', bits: 32 };
    case 'Float64Array':
      return { kind: 'float', bits: 64 };
    case 'Int8Array':
      return whole(8, true);
    case 'Uint8Array':
    case 'Uint8ClampedArray':
      return whole(8, false);
    case 'Int16Array':
      return whole(16, true);
    case 'Uint16Array':
      return whole(16, false);
    case 'Int32Array':
      return whole(32, true);
    case 'Uint32Array':
      return whole(32, false);
    case 'BigInt64Array':
      return whole(64, true);
    case 'BigUint64Array':
      return whole(64, false);
    default:
      return null;
  }
}

/** Values of JavaScript, checked one by one. */
function valuesOf(
  name: string,
  values: readonly unknown[],
  named: ParquetColumnType | null,
): ColumnData {
  const type = named ?? typeOfValues(name, values);
  if (type === null) return columnOf({ kind: 'null' }, values);
  const kind = columnKind(type);
  const isJson = type === 'json' || type === 'json[]';
  const stored = values.map((value, row) => {
    try {
      const one = kind.stored(value);
      return isJson && one !== null ? JSON.stringify(one) : one;
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      throw bad(name, `row ${row}: ${error.message}. Expected ${type}`);
    }
  });
  return columnOf(arrowType(type), stored);
}

function typeOfValues(name: string, values: readonly unknown[]): ParquetColumnType | null {
  let type: ParquetColumnType | null = null;
  for (const [row, value] of values.entries()) {
    const of = typeOf(value);
    if (of === null || of === type) continue;
    if (type !== null) throw bad(name, `row ${row} is ${of}, and rows before it are ${type}`);
    type = of;
  }
  // Lists without items only: whatever they are of.
  return type ?? (values.some(Array.isArray) ? 'json' : null);
}

/** Of one value; null: it says nothing. Nulls in a list, and lists without items, leave the type to others. */
function typeOf(value: unknown): ParquetColumnType | null {
  if (!Array.isArray(value)) return typeOfValue(value);
  const items = value.filter((one) => one !== null && one !== undefined);
  return items.length === 0 ? null : typeOfValue(items);
}

function bad(name: string, reason: string): TypeError {
  return new TypeError(`columnTable(): column ${JSON.stringify(name)}: ${reason}`);
}
