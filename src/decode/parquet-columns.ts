/**
 * Row groups of a Parquet file as columns. Those of the usual types and encodings are decoded from their pages
 * into memory as Arrow has it; for the others hyparquet's values are put there.
 */
import type { ColumnMetaData, Compressors, FileMetaData, RowGroup } from 'hyparquet';

import type { ColumnData } from '../core/format/column-data.ts';
import { FormatError } from '../core/format/format-error.ts';
import type { ColumnMemory } from './column-memory.ts';
import { columnOf } from './column-of-values.ts';
import { decodeColumn } from './parquet-column.ts';
import {
  checkBytes,
  checkColumns,
  checkGroup,
  chunkRange,
  compressorsFor,
  readFooter,
  startOf,
} from './parquet-file.ts';
import { rowObjects, told } from './parquet-objects.ts';
import type { GroupOfFile } from './parquet-objects.ts';
import { columnPlans } from './parquet-schema.ts';
import type { ColumnPlan } from './parquet-schema.ts';
import { OtherEncoding } from './parquet-values.ts';
import type { TableFile } from './table-file.ts';
import { readAll } from './table-file.ts';
import type { OpenTable, TableGroup } from './table-group.ts';

/** One file, of which row groups are decoded one at a time: each is valid until the next is asked for. */
export class ParquetTable implements OpenTable {
  readonly #file: TableFile;
  readonly #size: number;
  readonly #metadata: FileMetaData;
  readonly #plans: readonly ColumnPlan[];
  readonly #memory: ColumnMemory;

  static async open(file: TableFile, memory: ColumnMemory): Promise<ParquetTable> {
    const size = await file.source.sizeOf(file.location, file.signal);
    return new ParquetTable(file, size, await readFooter(file, size), memory);
  }

  private constructor(file: TableFile, size: number, metadata: FileMetaData, memory: ColumnMemory) {
    this.#file = file;
    this.#size = size;
    this.#metadata = metadata;
    this.#memory = memory;
    checkColumns(metadata, file.columns, size);
    this.#plans = columnPlans(metadata, file.columns);
  }

  async *groups(): AsyncGenerator<TableGroup, void, undefined> {
    let rowStart = 0;
    for (const group of this.#metadata.row_groups) {
      if (group.num_rows > 0n) yield await this.#decode(group, rowStart);
      rowStart += Number(group.num_rows);
    }
  }

  async groupAt(at: number): Promise<TableGroup> {
    let rowStart = 0;
    for (const group of this.#metadata.row_groups) {
      if (group.num_rows > 0n && startOf(group) === at) return this.#decode(group, rowStart);
      rowStart += Number(group.num_rows);
    }
    throw new FormatError('no row group of the file starts there: it has changed', at);
  }

  async #decode(group: RowGroup, rowStart: number): Promise<TableGroup> {
    const at = startOf(group);
    const rows = Number(group.num_rows);
    checkGroup(group, this.#file.columns, at);
    const reading = new GroupReading({
      file: this.#file,
      size: this.#size,
      metadata: this.#metadata,
      group,
      rowStart,
      rows,
      at,
      memory: this.#memory,
    });
    const columns = await reading.columns(this.#plans, (plan) => reading.byValues(plan));
    return { at, rows, fields: this.#plans.map(({ field }) => field), columns };
  }
}

interface GroupOptions extends GroupOfFile {
  readonly memory: ColumnMemory;
}

/** One row group, column by column. */
export class GroupReading {
  readonly #options: GroupOptions;
  readonly #compressors: Compressors;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#compressors = compressorsFor({ bytes: 0 }, options.at);
    options.memory.begin((bytes) => checkBytes(bytes, options.at));
  }

  /** `otherwise` stands for those whose types or encodings are not decoded here. */
  async columns<T>(
    plans: readonly ColumnPlan[],
    otherwise: (plan: ColumnPlan) => T | Promise<T>,
  ): Promise<readonly (ColumnData | T)[]> {
    const columns: (ColumnData | T)[] = [];
    // The bytes of the next column are read while one is decoded.
    const readings = plans.map((plan) => () => this.#bytesOf(plan));
    let next = readings[0]?.();
    for (const [index, plan] of plans.entries()) {
      const bytes = await next;
      next = readings[index + 1]?.();
      // Whoever waits for it hears of it; a failure before that ends both.
      next?.catch(() => undefined);
      columns.push(this.#column(plan, bytes ?? null) ?? (await otherwise(plan)));
    }
    return columns;
  }

  async #bytesOf(plan: ColumnPlan): Promise<Uint8Array | null> {
    const meta = plan.type === 'other' ? null : this.#metaOf(plan.leaf.path);
    if (meta === null) return null;
    const { file, size } = this.#options;
    const { start, end } = chunkRange(meta, size);
    return readAll(file, start, end - start);
  }

  /** Null: not decoded here. */
  #column(plan: ColumnPlan, bytes: Uint8Array | null): ColumnData | null {
    const { at, rows, memory } = this.#options;
    const meta = plan.type === 'other' ? null : this.#metaOf(plan.leaf.path);
    if (plan.type === 'other' || meta === null || bytes === null) return null;
    const pages = this.#pagesOf(meta, bytes);
    if (pages === null) return null;
    try {
      const column = decodeColumn(plan, pages, rows, memory);
      memory.giveBack(bytes);
      return column;
    } catch (error) {
      if (error instanceof OtherEncoding) return null;
      throw told(error, at);
    }
  }

  #pagesOf(
    { codec, num_values: slots }: ColumnMetaData,
    bytes: Uint8Array,
  ): Parameters<typeof decodeColumn>[1] | null {
    const decompress = codec === 'UNCOMPRESSED' ? null : this.#compressors[codec];
    return decompress === undefined ? null : { bytes, slotsMax: Number(slots), decompress };
  }

  #metaOf(path: readonly string[]): ColumnMetaData | null {
    const name = path.join('\n');
    for (const { meta_data: meta } of this.#options.group.columns) {
      if (meta?.path_in_schema.join('\n') === name) return meta;
    }
    return null;
  }

  /** By way of JavaScript values, which are those of rows. */
  async byValues({ field }: ColumnPlan): Promise<ColumnData> {
    const decoded = await rowObjects(this.#options, [field.name], this.#compressors);
    try {
      return columnOf(
        field.type,
        decoded.map((row) => row[field.name]),
      );
    } catch (error) {
      throw told(error, this.#options.at);
    }
  }
}
