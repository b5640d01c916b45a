/**
 * Tables as the rows of `parquet()`: columns go into the file as they are, without a JavaScript value for each. A table is
 * a sample of the output, which its reader gets as columns again (decision 0058).
 */
import { crc32 } from 'node:zlib';

import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { codedHint, tableHint } from '../core/format/coded-part.ts';
import type { ColumnData, ColumnField } from '../core/format/column-data.ts';
import { isColumnTable } from '../core/format/column-table.ts';
import type { ColumnTable } from '../core/format/column-table.ts';
import { FormatError } from '../core/format/format-error.ts';
import { ArrowTable } from '../decode/arrow-columns.ts';
import { ColumnMemory } from '../decode/column-memory.ts';
import { ParquetTable } from '../decode/parquet-columns.ts';
import { RangeCutter } from '../decode/range-reader.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import type { JobBatch } from './batch.ts';
import {
  PARQUET_GROUP_BYTES,
  PARQUET_TABLE_BYTES_MAX,
  PARQUET_TABLE_GROUP_ROWS,
} from './limits.ts';
import { PARQUET_MAGIC, encodeFooter, encodeGroup, encodeTable } from './parquet-table-group.ts';
import type { EncodedTable, RowGroup } from './parquet-table-group.ts';
import { columnShape, shapeOf } from './parquet-shape.ts';
import type { FileShape } from './parquet-shape.ts';
import { Unfit } from './parquet-types.ts';
import type { AppendFile } from './sink.ts';

/** Columns: of `sample.columns()` or `columnTable()`, or the bytes of an Arrow IPC stream or file. */
export type ParquetTableRow = ColumnTable | Uint8Array;

export function isTableRow(row: unknown): row is ParquetTableRow {
  return row instanceof Uint8Array || isColumnTable(row);
}

/** Some columns of as many values each. */
interface Columns {
  readonly rows: number;
  readonly fields: readonly ColumnField[];
  readonly columns: readonly ColumnData[];
}

interface HeldTable extends EncodedTable {
  readonly sampleId: number | null;
}

/** All that a write changes. */
interface State {
  readonly shape: FileShape | null;
  readonly groups: readonly RowGroup[];
  readonly held: readonly HeldTable[];
  readonly offset: number;
}

export class TablesFile {
  readonly #file: AppendFile;
  /** What the job named; null: the first table says it. */
  readonly #named: readonly ColumnField[] | null;
  readonly #cutter: RangeCutter = new RangeCutter();
  #state: State = { shape: null, groups: [], held: [], offset: 0 };

  constructor(file: AppendFile, named: readonly ColumnField[] | null) {
    this.#file = file;
    this.#named = named;
  }

  async write(rows: readonly unknown[], batch: JobBatch): Promise<void> {
    let state = this.#state;
    for (const [index, row] of rows.entries()) {
      const owner = ownerOf(index, rows.length, batch);
      if (!isTableRow(row)) {
        const what = `it is ${row === null ? 'null' : typeof row}, and those before it are columns`;
        throw badTable(owner, `${what}: an output file has either rows or columns`);
      }
      for await (const table of tablesOf(row, owner)) {
        if (table.rows > 0) state = await this.#add(state, table, owner);
      }
    }
    // Nothing is kept of tables that could not be written.
    this.#state = state;
  }

  async finish(): Promise<void> {
    const state = await this.#flush(this.#state);
    this.#state = state;
    if (state.shape !== null) await this.#file.append(encodeFooter(state.shape, state.groups));
  }

  async #add(before: State, table: Columns, owner: Owner): Promise<State> {
    const shape = before.shape ?? firstShape(this.#named ?? table.fields, owner);
    const columns = inOrder(shape, table, owner, this.#named !== null);
    const encoded = encodeTable(shape, columns, table.rows);
    if (encoded.plainBytes > PARQUET_TABLE_BYTES_MAX) {
      const what = `it has ${encoded.plainBytes} bytes of values, and at most ${PARQUET_TABLE_BYTES_MAX} are written as one sample`;
      throw badTable(owner, `${what}: return several smaller tables`);
    }
    let state: State = { ...before, shape };
    if (sizeOf(state.held, (one) => one.plainBytes) + encoded.plainBytes > PARQUET_GROUP_BYTES) {
      state = await this.#flush(state);
    }
    state = { ...state, held: [...state.held, { ...encoded, sampleId: owner.sampleId }] };
    const isFull =
      sizeOf(state.held, (one) => one.plainBytes) >= PARQUET_GROUP_BYTES ||
      sizeOf(state.held, (one) => one.rows) >= PARQUET_TABLE_GROUP_ROWS;
    return isFull ? this.#flush(state) : state;
  }

  /** Writes what is held as a row group. */
  async #flush({ shape, groups, held, offset }: State): Promise<State> {
    if (shape === null || held.length === 0) return { shape, groups, held, offset };
    const isFirst = offset === 0;
    const start = isFirst ? PARQUET_MAGIC.length : offset;
    const { bytes, group } = encodeGroup(shape, held, start);
    await this.#file.append(isFirst ? Buffer.concat([PARQUET_MAGIC, bytes]) : bytes);
    const end = start + bytes.length;
    const hints = await this.#hints(shape, group, { start, bytes }, held);
    for (const [index, { sampleId }] of held.entries()) {
      const hint = must(hints[index], 'each table has a hint');
      this.#file.record({ offset: start, length: bytes.length, sampleId, hint });
    }
    return { shape, groups: [...groups, group], held: [], offset: end };
  }

  /** Of each table what a reader will make of it: the group is read as a reader reads it. */
  async #hints(
    shape: FileShape,
    group: RowGroup,
    written: Written,
    held: readonly HeldTable[],
  ): Promise<readonly string[]> {
    const source = writtenSource(written, encodeFooter(shape, [group]));
    const table = await ParquetTable.open(
      { source, location: '', columns: null },
      new ColumnMemory(),
    );
    const decoded = await table.groupAt(written.start);
    let start = 0;
    return held.map(({ rows }) => {
      const range = { start, end: start + rows };
      start = range.end;
      const plan = this.#cutter.cut(decoded, range);
      const stream = new Uint8Array(plan.bytes);
      plan.write(stream);
      const part = { codec: 'parquet', start: 0, bytes: plan.bytes, crc32: crc32(stream) } as const;
      return codedHint(tableHint('parquet', null, range), part);
    });
  }
}

function sizeOf<T>(list: readonly T[], one: (of: T) => number): number {
  return list.reduce((sum, of) => sum + one(of), 0);
}

interface Written {
  /** Where in the file. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A file of one group, which lies where it will lie. */
function writtenSource({ start, bytes }: Written, footer: Uint8Array): ByteSource {
  const tail = Buffer.concat([bytes, footer]);
  return {
    expect: () => undefined,
    sizeOf: () => Promise.resolve(start + tail.length),
    read: (_, position, into) => {
      // What comes before it is asked for with the footer, and not looked at.
      const skipped = Math.max(0, start - position);
      const from = Math.max(0, position - start);
      const part = tail.subarray(from, from + Math.max(0, into.length - skipped));
      into.set(part, skipped);
      return Promise.resolve(skipped + part.length);
    },
    close: () => Promise.resolve(),
  };
}

async function* tablesOf(row: ParquetTableRow, owner: Owner): AsyncGenerator<Columns> {
  if (isColumnTable(row)) {
    const list = [...row];
    yield {
      rows: row.rows,
      fields: list.map(({ name, data: { type } }) => ({ name, type, isNullable: true })),
      columns: list.map(({ data }) => data),
    };
    return;
  }
  const source = writtenSource({ start: 0, bytes: row }, new Uint8Array(0));
  try {
    const file = { source, location: '', columns: null };
    yield* (await ArrowTable.open(file, new ColumnMemory())).groups();
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof RangeError)) throw error;
    const what = 'its bytes are no Arrow IPC stream or file';
    throw badTable(owner, `${what}: ${error.message}`);
  }
}

function firstShape(fields: readonly ColumnField[], owner: Owner): FileShape {
  if (fields.length === 0) throw badTable(owner, 'it has no column');
  for (const field of fields) {
    try {
      shapeOf([field]);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      const what = `column ${JSON.stringify(field.name)} cannot be stored: ${error.message}`;
      throw badTable(owner, `${what}; name its type: ${wayOut(field.name)}`);
    }
  }
  const names = new Set(fields.map(({ name }) => name));
  if (names.size === fields.length) return shapeOf(fields);
  throw badTable(owner, 'two of its columns have one name');
}

/** The columns as the file has them. */
function inOrder(
  shape: FileShape,
  { rows, fields, columns }: Columns,
  owner: Owner,
  isNamed: boolean,
): readonly ColumnData[] {
  const who = isNamed ? 'the job names' : 'the first columns of this file have';
  for (const { name } of fields) {
    if (shape.columns.some((column) => column.name === name)) continue;
    const known = shape.columns.map((column) => column.name).join(', ');
    throw badTable(owner, `it has a column ${JSON.stringify(name)}; ${who} ${known}`);
  }
  return shape.columns.map(({ name, text }) => {
    const at = fields.findIndex((field) => field.name === name);
    const [field, data] = [fields[at], columns[at]];
    const label = `column ${JSON.stringify(name)}`;
    if (field === undefined || data === undefined) {
      throw badTable(owner, `it has no ${label}, which ${who} as ${text}`);
    }
    if (data.length !== rows) {
      throw badTable(owner, `${label} has ${data.length} values for ${rows} rows`);
    }
    // Only nulls, which every column takes.
    if (field.type.kind === 'null') return nullsFor(shape, name, data);
    const { text: got } = columnShape(field);
    if (got === text) return data;
    throw badTable(owner, `${label} is ${got}, and ${who} it as ${text}`);
  });
}

/** Nulls of a column with a type: a null list or struct has no items, whatever these are. */
function nullsFor({ fields }: FileShape, name: string, { length }: ColumnData): ColumnData {
  const { type } = must(
    fields.find((field) => field.name === name),
    'the column is one of the file',
  );
  return nullsOf(type, length);
}

function nullsOf(type: ColumnField['type'], length: number): ColumnData {
  const isList = type.kind === 'list' || type.kind === 'map' || type.kind === 'fixed_list';
  const hasOffsets = isList || type.kind === 'utf8' || type.kind === 'binary';
  const list = type.kind === 'fixed_list' ? ({ kind: 'list', item: type.item } as const) : type;
  const of = isList ? [type.item] : type.kind === 'struct' ? type.fields : [];
  return {
    type: list,
    length,
    nullCount: length,
    validity: new Uint8Array((length + 7) >> 3),
    values: isList || type.kind === 'struct' ? null : new Uint8Array(0),
    offsets: hasOffsets ? new Int32Array(length + 1) : null,
    children: of.map((field) => nullsOf(field.type, isList ? 0 : length)),
  };
}

interface Owner {
  readonly sampleId: number | null;
  readonly row: number;
}

function ownerOf(index: number, rowCount: number, batch: JobBatch): Owner {
  const sampleId = rowCount === batch.length ? (batch.sampleIds[index] ?? null) : null;
  return { sampleId, row: index };
}

function wayOut(name: string): string {
  return `columnTable({ … }, { ${JSON.stringify(name)}: … }) or parquet(dir, { columns: { ${JSON.stringify(name)}: … } })`;
}

function badTable({ sampleId, row }: Owner, reason: string): Mx8Error {
  const owner =
    sampleId === null ? `columns ${row} of the batch` : `the columns of sample ${sampleId}`;
  const details = sampleId === null ? { row } : { sample_id: sampleId };
  return new Mx8Error('row_invalid', `${owner} cannot be written as Parquet: ${reason}`, details);
}
