/**
 * Record batches of an Arrow file as columns: most as they lie in the file. What needs more than one record batch to
 * be read by itself (dictionaries), or is not known to everybody (views, runs), becomes plain values.
 */
import { DateUnit, Precision, TimeUnit as Unit, Type } from '@uwdata/flechette';
import type { DataType } from '@uwdata/flechette';

import { must } from '../core/base/assert.ts';
import type { ColumnData, ColumnField, ColumnType, TimeUnit } from '../core/format/column-data.ts';
import { widthOf } from '../core/format/column-data.ts';
import { FormatError } from '../core/format/format-error.ts';
import { arrowBatches, batchMessage } from './arrow-messages.ts';
import type { FoundBatch } from './arrow-messages.ts';
import { checkRows } from './arrow-rows.ts';
import { conversionOf, decodedColumns, told } from './arrow-table.ts';
import type { Values } from './arrow-table.ts';
import type { ColumnMemory } from './column-memory.ts';
import { columnOf } from './column-of-values.ts';
import type { TableFile } from './table-file.ts';
import type { OpenTable, TableGroup } from './table-group.ts';

export class ArrowTable implements OpenTable {
  readonly #file: TableFile;
  readonly #size: number;
  readonly #memory: ColumnMemory;
  /** Goes through the file; kept behind the batch that was asked for last. */
  #batches: AsyncGenerator<FoundBatch, void, undefined>;
  /** The batch that it gave last; -1: none yet. */
  #lastAt: number = -1;
  #fields: readonly ColumnField[] = [];

  static async open(file: TableFile, memory: ColumnMemory): Promise<ArrowTable> {
    return new ArrowTable(file, await file.source.sizeOf(file.location, file.signal), memory);
  }

  private constructor(file: TableFile, size: number, memory: ColumnMemory) {
    this.#file = file;
    this.#size = size;
    this.#memory = memory;
    this.#batches = arrowBatches(file, size);
  }

  async *groups(): AsyncGenerator<TableGroup, void, undefined> {
    for await (const found of arrowBatches(this.#file, this.#size)) {
      const group = await this.#decode(found);
      if (group !== null) yield group;
    }
  }

  async groupAt(at: number): Promise<TableGroup> {
    if (at <= this.#lastAt) {
      this.#batches = arrowBatches(this.#file, this.#size);
      this.#lastAt = -1;
    }
    for (;;) {
      const next = await this.#batches.next();
      if (next.done === true) break;
      this.#lastAt = next.value.found.at;
      if (this.#lastAt !== at) continue;
      const group = await this.#decode(next.value);
      if (group !== null) return group;
    }
    this.#lastAt = Infinity;
    throw new FormatError('no record batch of the file starts there: it has changed', at);
  }

  leave(): void {
    // Nothing is read before its turn.
  }

  /** Null: it has no rows. */
  async #decode({ schema, choice, dictionaries, found }: FoundBatch): Promise<TableGroup | null> {
    const { message, at } = found;
    if (message.type !== 'batch' || message.rows === 0) return null;
    const { rows } = message;
    checkRows(rows, at);
    // Nobody needs the group before any more; what asks for as much memory next gets the same.
    this.#memory.clear();
    const batch = await batchMessage(this.#file, { found, choice });
    this.#memory.keep(batch);
    const messages = [schema, ...dictionaries.map(({ whole }) => whole), batch];
    return told(at, () => {
      const decoded = decodedColumns(messages, rows, this.#file.columns, at);
      const columns = decoded.map(({ batch: values }) => dataOf(values));
      const fields = decoded.map(({ name, isNullable }, index) => ({
        name,
        isNullable,
        type: must(columns[index], 'each field has a column').type,
      }));
      // The batches of a file have one schema, which is then described once.
      if (JSON.stringify(fields) !== JSON.stringify(this.#fields)) this.#fields = fields;
      return { at, rows, fields: this.#fields, columns };
    });
  }
}

const UNITS = {
  [Unit.SECOND]: 's',
  [Unit.MILLISECOND]: 'ms',
  [Unit.MICROSECOND]: 'us',
  [Unit.NANOSECOND]: 'ns',
} as const satisfies Record<number, TimeUnit>;
const FLOAT_BITS = {
  [Precision.HALF]: 16,
  [Precision.SINGLE]: 32,
  [Precision.DOUBLE]: 64,
} as const;

function dataOf(batch: Values): ColumnData {
  const { length, children = [], type: of } = batch;
  const items = children.map(dataOf);
  const type = typeOf(of, items);
  if (type === null) return valuesOf(batch);
  const nullCount = type.kind === 'null' ? length : batch.nullCount;
  const validity = type.kind === 'null' || nullCount === 0 ? null : (batch.validity ?? null);
  if (validity !== null && validity.length * 8 < length) {
    throw new RangeError(`${validity.length * 8} bits for what is null of ${length} values`);
  }
  const offsets = offsetsOf(batch);
  const hasValues =
    offsets === null ? widthOf(type) > 0 || type.kind === 'bool' : items.length === 0;
  const values = hasValues ? bytesOf(batch) : null;
  const needed = type.kind === 'bool' ? Math.ceil(length / 8) : widthOf(type) * length;
  if ((values?.length ?? 0) < needed) {
    throw new RangeError(`${values?.length ?? 0} bytes for ${length} values`);
  }
  const each = type.kind === 'fixed_list' ? type.size : 1;
  for (const item of offsets === null ? items : []) {
    if (item.length < length * each)
      throw new RangeError(`${item.length} items for ${length} values`);
  }
  return { type, length, nullCount, validity, values, offsets, children: items };
}

function bytesOf({ values }: Values): Uint8Array {
  if (values === undefined) return new Uint8Array(0);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function offsetsOf({ offsets, sizes, length }: Values): Int32Array | null {
  if (offsets === undefined || sizes !== undefined) return null;
  if (length === 0) return new Int32Array(1);
  if (offsets instanceof Int32Array) return offsets.subarray(0, length + 1);
  // Of what may be large; a record batch is not.
  return Int32Array.from({ length: length + 1 }, (_, index) => Number(offsets[index] ?? 0));
}

/** Null for what becomes plain values. `items` are its children. */
function typeOf(type: DataType, items: readonly ColumnData[]): ColumnType | null {
  const field = (index: number): ColumnField => {
    const of = must('children' in type ? type.children[index] : undefined, 'a list has items');
    return { name: of.name, isNullable: of.nullable, type: must(items[index], 'decoded').type };
  };
  switch (type.typeId) {
    case Type.Null:
      return { kind: 'null' };
    case Type.Bool:
      return { kind: 'bool' };
    case Type.Utf8:
    case Type.LargeUtf8:
      return { kind: 'utf8' };
    case Type.Binary:
    case Type.LargeBinary:
      return { kind: 'binary' };
    case Type.Int:
      return { kind: 'int', bits: type.bitWidth, isSigned: type.signed };
    case Type.Float:
      return { kind: 'float', bits: FLOAT_BITS[type.precision] };
    case Type.FixedSizeBinary:
      return { kind: 'bytes', width: type.stride };
    case Type.Date:
      return { kind: 'date', unit: type.unit === DateUnit.DAY ? 'day' : 'ms' };
    case Type.Time:
      return { kind: 'time', unit: UNITS[type.unit] };
    case Type.Timestamp:
      return { kind: 'timestamp', unit: UNITS[type.unit], zone: type.timezone };
    case Type.Duration:
      return { kind: 'duration', unit: UNITS[type.unit] };
    case Type.List:
    case Type.LargeList:
      return { kind: 'list', item: field(0) };
    case Type.FixedSizeList:
      return { kind: 'fixed_list', item: field(0), size: type.stride };
    case Type.Map:
      return { kind: 'map', item: field(0) };
    case Type.Struct:
      return { kind: 'struct', fields: items.map((_, index) => field(index)) };
    default:
      return null;
  }
}

function valuesOf(batch: Values): ColumnData {
  const convert = conversionOf(batch.type);
  const values = Array.from({ length: batch.length }, (_, index) => {
    const value = batch.at(index);
    return convert === null ? value : convert(value);
  });
  return columnOf(plainTypeOf(batch.type), values);
}

/** Of what the decoder gives as values: times are objects of JavaScript, in milliseconds. Unions are their JSON. */
function plainTypeOf(type: DataType): ColumnType {
  switch (type.typeId) {
    case Type.Dictionary:
      return plainTypeOf(type.dictionary);
    case Type.RunEndEncoded:
      return plainTypeOf(must(type.children[1], 'runs have values').type);
    case Type.ListView:
    case Type.LargeListView:
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList: {
      const item = must(type.children[0], 'a list has items');
      return {
        kind: 'list',
        item: { name: item.name, isNullable: true, type: plainTypeOf(item.type) },
      };
    }
    case Type.Struct: {
      const fields = type.children.map(({ name, type: of }) => ({
        name,
        isNullable: true,
        type: plainTypeOf(of),
      }));
      return { kind: 'struct', fields };
    }
    case Type.BinaryView:
      return { kind: 'binary' };
    case Type.Decimal:
      return { kind: 'float', bits: 64 };
    case Type.Timestamp:
      return { kind: 'timestamp', unit: 'ms', zone: type.timezone };
    case Type.Date:
      return { kind: 'date', unit: 'ms' };
    case Type.Float:
      return { kind: 'float', bits: type.precision === Precision.DOUBLE ? 64 : 32 };
    default:
      return typeOf(type, []) ?? { kind: 'utf8' };
  }
}
