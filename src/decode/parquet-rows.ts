/**
 * The rows of a Parquet file as lines of JSON, row group by row group: what a compressed file of JSON lines would
 * be, with its row groups for frames. A row group is decoded as a whole, as its columns lie one after the other:
 * into columns, of which lines are written a piece at a time. What those cannot give as hyparquet's values would,
 * which lines were pinned of, is taken from those values: a column, or all of a row group.
 */
import { parquetSchema } from 'hyparquet';
import type { ColumnMetaData, FileMetaData, RowGroup } from 'hyparquet';

import { FormatError } from '../core/format/format-error.ts';
import { ColumnMemory } from './column-memory.ts';
import { JsonBytes } from './json-bytes.ts';
import { cellLines, jsonLines, keyText, rowText, valueText } from './json-lines.ts';
import type { CellColumn, RowCell } from './json-lines.ts';
import { cellOf, cellPlanOf } from './parquet-cells.ts';
import type { CellPlan } from './parquet-cells.ts';
import { AHEAD_BYTES_MAX } from './limits.ts';
import { AheadRoom, Lane } from './parquet-ahead.ts';
import { checkColumns, checkGroup, compressorsFor, readFooter, startOf } from './parquet-file.ts';
import { GroupReading } from './parquet-group.ts';
import { rowObjects } from './parquet-objects.ts';
import type { GroupOfFile, Row } from './parquet-objects.ts';
import { columnPlans } from './parquet-schema.ts';
import type { ColumnPlan } from './parquet-schema.ts';
import type { TableFile } from './table-file.ts';
import type { UnpackedChunk } from './unpack.ts';

/** From the row group at byte `from` of the file on; 0: from the first. A piece is valid until the next is asked for. */
export async function* parquetRows(
  parquet: TableFile,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const size = await parquet.source.sizeOf(parquet.location, parquet.signal);
  const metadata = await readFooter(parquet, size);
  checkColumns(metadata, parquet.columns, size);
  const reader = new RowReader(parquet, size, metadata);
  let rowStart = 0;
  let isFound = from === 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const at = startOf(group);
    isFound ||= at === from;
    if (isFound && rows > 0) yield* reader.lines({ group, at, rowStart, rows });
    rowStart += rows;
  }
  if (!isFound)
    throw new FormatError('no row group of the file starts there: it has changed', from);
}

type Group = Pick<GroupOfFile, 'group' | 'at' | 'rowStart' | 'rows'>;

class RowReader {
  readonly #file: TableFile;
  readonly #size: number;
  readonly #metadata: FileMetaData;
  readonly #plans: readonly RowColumn[] | null;
  readonly #memory: ColumnMemory = new ColumnMemory();
  readonly #out: JsonBytes = new JsonBytes();

  constructor(file: TableFile, size: number, metadata: FileMetaData) {
    this.#file = file;
    this.#size = size;
    this.#metadata = metadata;
    this.#plans = rowColumns(metadata, file.columns);
  }

  async *lines(group: Group): AsyncGenerator<UnpackedChunk, void, undefined> {
    const { at, rows } = group;
    checkGroup(group.group, this.#file.columns, at);
    const columns = await this.#columns(group);
    if (columns !== null) {
      yield* cellLines(rows, columns, at, this.#out);
      return;
    }
    const decoded = await this.#values(group, this.#file.columns);
    yield* jsonLines(rows, (row) => rowText(decoded[row] ?? {}), at);
  }

  /** Null: all of its rows go by values. So does what cannot be decoded, for which those have the last word. */
  async #columns(group: Group): Promise<readonly CellColumn[] | null> {
    if (this.#plans === null || !isUsual(group.group)) return null;
    try {
      return await this.#decode(this.#plans, group);
    } catch (error) {
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  async #decode(plans: readonly RowColumn[], group: Group): Promise<readonly CellColumn[] | null> {
    const reading = new GroupReading({
      ...group,
      file: this.#file,
      size: this.#size,
      metadata: this.#metadata,
      plans: plans.map(({ cell, plan }) => cell?.plan ?? other(plan)),
      memory: this.#memory,
      room: new AheadRoom(AHEAD_BYTES_MAX),
      lane: new Lane(),
    });
    const decoded = await reading.columns(() => null);
    const rest = plans.filter((_, index) => decoded[index] === null).map(({ name }) => name);
    if (rest.length === plans.length) return null;
    const values = rest.length === 0 ? [] : await this.#values(group, rest);
    return plans.map(({ name, cell }, index) => {
      const column = decoded[index] ?? null;
      const isDecoded = column !== null && cell !== null;
      return { key: keyText(name), cell: isDecoded ? cellOf(cell, column) : cellBy(values, name) };
    });
  }

  #values(group: Group, columns: readonly string[] | null): Promise<Row[]> {
    const of = { ...group, file: this.#file, size: this.#size, metadata: this.#metadata };
    return rowObjects(of, columns, compressorsFor({ bytes: 0 }, group.at));
  }
}

interface RowColumn {
  readonly name: string;
  readonly plan: ColumnPlan;
  /** Null: by values. */
  readonly cell: CellPlan | null;
}

function other({ field }: ColumnPlan): ColumnPlan {
  return { type: 'other', field };
}

/** What hyparquet left out of a row is left out of its line. */
function cellBy(values: readonly Row[], name: string): RowCell {
  return (out, row) => {
    const value = values[row]?.[name];
    if (value === undefined) return false;
    out.text(valueText(value));
    return true;
  };
}

/**
 * In the order in which a JavaScript object has them when they are added in the order of the schema. Null where
 * the object would not have just those.
 */
function rowColumns(
  metadata: FileMetaData,
  columns: readonly string[] | null,
): readonly RowColumn[] | null {
  const { element, children } = parquetSchema(metadata);
  const all = children.map((child) => child.element.name);
  if (columns?.every((name) => all.includes(name)) === false) return null;
  const names = all.filter((name) => columns === null || columns.includes(name));
  const ordered = Object.keys(Object.fromEntries(names.map((name) => [name, null])));
  const isPlain = ordered.length === names.length && !names.includes('__proto__');
  if (!isPlain || names.length === 0 || element.logical_type !== undefined) return null;
  return columnPlans(metadata, ordered).map((plan) => ({
    name: plan.field.name,
    plan,
    cell: cellPlanOf(plan),
  }));
}

/** Whether hyparquet looks for pages where they are looked for here. */
function isUsual({ columns }: RowGroup): boolean {
  return columns.every(
    ({ file_path: path, meta_data: meta }) =>
      path === undefined && meta !== undefined && beginsOnce(meta),
  );
}

function beginsOnce({
  dictionary_page_offset: dictionary,
  data_page_offset: data,
}: ColumnMetaData): boolean {
  return dictionary === undefined || dictionary === 0n || (dictionary > 0n && dictionary < data);
}
