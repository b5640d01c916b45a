/** Rows as columns, as jobs and `load()` show them: views of the sample's bytes, an Arrow IPC stream, without a copy. */
import { bitAt, fieldsOf, typeText, widthOf } from './column-data.ts';
import type { ColumnData, ColumnField, ColumnType } from './column-data.ts';
import { readStream } from './arrow-read.ts';

/** What the numbers of a column are in; half floats are their 16 bits, values of a width their bytes. */
export type ColumnValues =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

const decoder = new TextDecoder();

export class TableColumn {
  readonly name: string;
  /** As Arrow calls it: `int64`, `float32`, `utf8`, `timestamp[us, UTC]`, `list<float32>`. */
  readonly type: string;
  readonly length: number;
  readonly nullCount: number;
  /** A bit for each value, from the lowest of the first byte on, 0 where it is null; null where none is. */
  readonly validity: Uint8Array | null;
  /**
   * Numbers, and times as whole numbers in the unit of the type, one for each value. Of texts and bytes all of them, one
   * after the other; of `bool` bits. Null of lists and structs.
   */
  readonly values: ColumnValues | null;
  /** Of texts, bytes, lists and maps: value i is [offsets[i], offsets[i + 1]) of `values`, or of the items in `children[0]`. */
  readonly offsets: Int32Array | null;
  /** The items of lists, or the fields of structs. */
  readonly children: readonly TableColumn[];
  /** The same as it lies in memory, for who writes it. */
  readonly data: ColumnData;
  readonly #type: ColumnType;

  constructor(field: ColumnField, data: ColumnData) {
    this.name = field.name;
    this.data = data;
    this.#type = data.type;
    this.type = typeText(data.type);
    this.length = data.length;
    this.nullCount = data.nullCount;
    this.validity = data.validity;
    this.values = data.values === null ? null : typed(data.type, data.values, data.length);
    this.offsets = data.offsets;
    const fields = fieldsOf(data.type);
    this.children = data.children.map((child, index) => {
      const of = fields[index] ?? { name: '', type: child.type, isNullable: true };
      return new TableColumn(of, child);
    });
  }

  /**
   * Where each list has as many items as every other and none is null: how many. So a column of vectors is
   * `children[0].values`, `stride` numbers for each row. Else null.
   */
  get stride(): number | null {
    if (this.#type.kind === 'fixed_list') return this.nullCount === 0 ? this.#type.size : null;
    const { offsets } = this;
    if (this.#type.kind !== 'list' || offsets === null || this.nullCount > 0) return null;
    const stride = this.length === 0 ? 0 : (offsets[1] ?? 0);
    for (let index = 0; index <= this.length; index += 1) {
      if (offsets[index] !== index * stride) return null;
    }
    return stride;
  }

  isNull(index: number): boolean {
    this.#check(index);
    return this.#type.kind === 'null' || (this.validity !== null && !bitAt(this.validity, index));
  }

  /**
   * Value i, made when it is asked for: a number, a bigint of 64 bits, a text, a view of bytes, an array, an object by
   * field, pairs of a map; or null. Times are whole numbers in the unit of the type. For loops over many, take `values`.
   */
  at(index: number): unknown {
    if (this.isNull(index)) return null;
    const { values, offsets, children } = this;
    const type = this.#type;
    const start = offsets?.[index] ?? 0;
    const end = offsets?.[index + 1] ?? 0;
    switch (type.kind) {
      case 'bool':
        return bitAt(bytesOf(values), index);
      case 'utf8':
        return decoder.decode(bytesOf(values).subarray(start, end));
      case 'binary':
        return bytesOf(values).subarray(start, end);
      case 'bytes':
        return bytesOf(values).subarray(index * type.width, (index + 1) * type.width);
      case 'float':
        return type.bits === 16 ? halfOf(Number(values?.[index] ?? 0)) : (values?.[index] ?? null);
      case 'list':
      case 'map':
        return itemsOf(children[0], start, end, type.kind === 'map');
      case 'fixed_list':
        return itemsOf(children[0], index * type.size, (index + 1) * type.size, false);
      case 'struct':
        return Object.fromEntries(children.map((child) => [child.name, child.at(index)]));
      default:
        return values?.[index] ?? null;
    }
  }

  #check(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new RangeError(
      `column ${this.name} has the values 0 to ${this.length - 1}, not ${index}`,
    );
  }
}

const TABLE_MARK = 'mx8.columns.1';

export class ColumnTable implements Iterable<TableColumn> {
  /** Tells a table from rows, also one that another copy of the package made. */
  readonly mark: string = TABLE_MARK;
  /** How many rows of the file they are. */
  readonly rows: number;
  readonly #columns: readonly TableColumn[];

  constructor(rows: number, columns: readonly TableColumn[]) {
    this.rows = rows;
    this.#columns = columns;
  }

  /** Of an Arrow IPC stream of one record batch; throws a `RangeError` where it is none. */
  static read(bytes: Uint8Array): ColumnTable {
    const { rows, fields, columns } = readStream(bytes);
    const of = columns.map((data, index) => {
      const { type } = data;
      return new TableColumn(fields[index] ?? { name: '', type, isNullable: true }, data);
    });
    return new ColumnTable(rows, of);
  }

  get names(): readonly string[] {
    return this.#columns.map(({ name }) => name);
  }

  /** A `RangeError` names the columns that there are. */
  column(name: string): TableColumn {
    const found = this.#columns.find((column) => column.name === name);
    if (found !== undefined) return found;
    throw new RangeError(`no column ${JSON.stringify(name)}; there are ${this.names.join(', ')}`);
  }

  /** Row i as an object by column. */
  row(index: number): Record<string, unknown> {
    return Object.fromEntries(this.#columns.map((column) => [column.name, column.at(index)]));
  }

  /** Columns as a row of `jsonl()` would be lost without a word. */
  toJSON(): never {
    throw new TypeError(
      'it is columns, which are no JSON: take row(i), or write them with parquet()',
    );
  }

  [Symbol.iterator](): Iterator<TableColumn> {
    return this.#columns[Symbol.iterator]();
  }
}

export function isColumnTable(value: unknown): value is ColumnTable {
  return (
    typeof value === 'object' && value !== null && 'mark' in value && value.mark === TABLE_MARK
  );
}

function typed(type: ColumnType, bytes: Uint8Array, length: number): ColumnValues {
  const { buffer, byteOffset } = bytes;
  const width = widthOf(type);
  if (bytes.length < width * length) {
    throw new RangeError(`${bytes.length} bytes for ${length} values of ${width}`);
  }
  switch (type.kind) {
    case 'int':
    case 'float':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'duration':
      return new (arrayOf(type, width))(buffer, byteOffset, length);
    default:
      return bytes;
  }
}

type ArrayOf = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ColumnValues;

function arrayOf(type: ColumnType, width: number): ArrayOf {
  if (type.kind === 'float') {
    return type.bits === 64 ? Float64Array : type.bits === 32 ? Float32Array : Uint16Array;
  }
  const isSigned = type.kind !== 'int' || type.isSigned;
  if (width === 8) return isSigned ? BigInt64Array : BigUint64Array;
  if (width === 4) return isSigned ? Int32Array : Uint32Array;
  if (width === 2) return isSigned ? Int16Array : Uint16Array;
  return isSigned ? Int8Array : Uint8Array;
}

function bytesOf(values: ColumnValues | null): Uint8Array {
  return values instanceof Uint8Array ? values : new Uint8Array(0);
}

/** Numbers as they lie, anything else one by one; of a map pairs. */
function itemsOf(
  items: TableColumn | undefined,
  start: number,
  end: number,
  isMap: boolean,
): unknown {
  if (items === undefined) return [];
  const isNumbers = /^(?:u?int|float(?:32|64))/.test(items.type);
  if (isNumbers && items.nullCount === 0) return items.values?.subarray(start, end);
  return Array.from({ length: end - start }, (_, index) => {
    if (!isMap) return items.at(start + index);
    return items.children.map((child) => child.at(start + index));
  });
}

/** From the 16 bits of a number: a sign, 5 bits of exponent, 10 of fraction. */
function halfOf(bits: number): number {
  const sign = bits >> 15 === 1 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}
