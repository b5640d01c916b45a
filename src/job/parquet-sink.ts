/**
 * `parquet()`: rows in columns, or columns as they are (`parquet-tables.ts`). Rows are gathered into row groups, of which one at most is in memory; each row is
 * a sample of the output data set, named as resolving the file would name it (decision 34).
 */
import { crc32 } from 'node:zlib';

import { codedHint, tableHint } from '../core/format/coded-part.ts';
import type { JobBatch } from './batch.ts';
import { PARQUET_GROUP_BYTES, PARQUET_GROUP_ROWS } from './limits.ts';
import { partName } from './output-name.ts';
import { inferredColumns, namedColumns, storedRow } from './parquet-columns.ts';
import type { ParquetColumns, ParquetRow } from './parquet-columns.ts';
import { arrowFields } from './parquet-arrow-types.ts';
import { ParquetGroups } from './parquet-groups.ts';
import { TablesFile, isTableRow } from './parquet-tables.ts';
import type { ParquetTableRow } from './parquet-tables.ts';
import type { ParquetColumnType } from './parquet-types.ts';
import type { AppendFile, Sink, SinkPart } from './sink.ts';

export interface ParquetOptions {
  /** Columns and their types, such as `{ id: 'int64', vector: 'float[]' }`; by default what the first rows of each file have. */
  readonly columns?: Readonly<Record<string, ParquetColumnType>>;
}

/**
 * Rows as those of `part-<first sample>-<end>.parquet`, in the order of the samples, compressed with zstd: objects by
 * column, or tables of many rows (`sample.columns()`, `columnTable()`, the bytes of an Arrow IPC stream).
 */
export function parquet<Row extends ParquetRow | ParquetTableRow = ParquetRow | ParquetTableRow>(
  dir: string | null = null,
  options: ParquetOptions = {},
): Sink<Row> {
  const columns = options.columns === undefined ? null : namedColumns(options.columns);
  return {
    kind: 'parquet',
    dir,
    async openPart(part) {
      const file = await part.appendFile((range) => partName(range, 'parquet'));
      return new ParquetPart(file, columns);
    },
  };
}

interface HeldRow {
  readonly values: readonly unknown[];
  /** Of the line of JSON that a reader makes of it. */
  readonly bytes: number;
  readonly crc32: number;
  readonly sampleId: number | null;
}

const encoder = new TextEncoder();

class ParquetPart implements SinkPart<ParquetRow | ParquetTableRow> {
  readonly #file: AppendFile;
  #columns: ParquetColumns | null;
  #groups: ParquetGroups | null = null;
  /** Rows that are in no group yet. */
  #held: readonly HeldRow[] = [];
  /** Where the first row was a table. */
  #tables: TablesFile | null = null;

  constructor(file: AppendFile, columns: ParquetColumns | null) {
    this.#file = file;
    this.#columns = columns;
  }

  async write(rows: readonly (ParquetRow | ParquetTableRow)[], batch: JobBatch): Promise<void> {
    if (rows.length === 0) return;
    if (this.#tables === null && (this.#groups !== null || !isTableRow(rows[0]))) {
      await this.#writeRows(rows as readonly ParquetRow[], batch);
      return;
    }
    const named = this.#columns === null ? null : arrowFields(this.#columns.list);
    const tables = this.#tables ?? new TablesFile(this.#file, named);
    await tables.write(rows, batch);
    this.#tables = tables;
  }

  async #writeRows(rows: readonly ParquetRow[], batch: JobBatch): Promise<void> {
    const columns = this.#columns ?? inferredColumns(rows, batch);
    const taken = rows.map((row, index) => heldRow(columns, row, index, rows.length, batch));
    const groups = this.#groups ?? new ParquetGroups(columns);
    const mark = groups.mark();
    try {
      const rest = await this.#writeGroups(groups, [...this.#held, ...taken], false);
      // Nothing is kept of rows that could not be written.
      this.#columns = columns;
      this.#groups = groups;
      this.#held = rest;
    } catch (error) {
      groups.undo(mark);
      throw error;
    }
  }

  async finish(): Promise<void> {
    await this.#tables?.finish();
    if (this.#groups === null) return;
    this.#held = await this.#writeGroups(this.#groups, this.#held, true);
    await this.#file.append(this.#groups.footer());
  }

  /** Writes what is full, or all; answers the rows that are left. */
  async #writeGroups(
    groups: ParquetGroups,
    rows: readonly HeldRow[],
    isAll: boolean,
  ): Promise<readonly HeldRow[]> {
    let from = 0;
    let bytes = 0;
    for (const [index, row] of rows.entries()) {
      bytes += row.bytes;
      const count = index + 1 - from;
      if (count < PARQUET_GROUP_ROWS && bytes < PARQUET_GROUP_BYTES) continue;
      await this.#writeGroup(groups, rows.slice(from, index + 1));
      from = index + 1;
      bytes = 0;
    }
    const rest = rows.slice(from);
    if (!isAll || rest.length === 0) return rest;
    await this.#writeGroup(groups, rest);
    return [];
  }

  async #writeGroup(groups: ParquetGroups, rows: readonly HeldRow[]): Promise<void> {
    const { start, end, bytes } = groups.encode(rows.map(({ values }) => values));
    await this.#file.append(bytes);
    const kind = tableHint('parquet', null);
    let position = 0;
    for (const row of rows) {
      const part = { codec: 'parquet', start: position, ...row } as const;
      const hint = codedHint(kind, part);
      this.#file.record({ offset: start, length: end - start, sampleId: row.sampleId, hint });
      // The line break behind it.
      position += row.bytes + 1;
    }
  }
}

function heldRow(
  columns: ParquetColumns,
  row: ParquetRow,
  index: number,
  rowCount: number,
  batch: JobBatch,
): HeldRow {
  const values = storedRow(columns, row, index, rowCount, batch);
  const shown = columns.list.map(({ name, kind }, at) => [name, kind.shown(values[at])] as const);
  const line = encoder.encode(JSON.stringify(Object.fromEntries(shown)));
  const sampleId = rowCount === batch.length ? (batch.sampleIds[index] ?? null) : null;
  return { values, bytes: line.length, crc32: crc32(line), sampleId };
}
