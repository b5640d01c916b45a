/**
 * Row groups of a Parquet file as columns. Those of the usual types and encodings are decoded from their pages
 * into memory as Arrow has it; for the others hyparquet's values are put there.
 */
import { parquetReadObjects } from 'hyparquet';
import type { ColumnMetaData, Compressors, FileMetaData, RowGroup } from 'hyparquet';

import { Mx8Error } from '../core/base/errors.ts';
import type { ColumnData } from '../core/format/column-data.ts';
import { FormatError } from '../core/format/format-error.ts';
import { ColumnMemory } from './column-memory.ts';
import { columnOf } from './column-of-values.ts';
import { decodeColumn } from './parquet-column.ts';
import {
  bufferOf,
  checkBytes,
  checkColumns,
  checkGroup,
  chunkRange,
  compressorsFor,
  readFooter,
  startOf,
} from './parquet-file.ts';
import { columnPlans } from './parquet-schema.ts';
import type { ColumnPlan } from './parquet-schema.ts';
import { OtherEncoding } from './parquet-values.ts';
import type { TableFile } from './table-file.ts';
import { readAll } from './table-file.ts';
import type { TableGroup } from './table-group.ts';

/** From the row group at byte `from` of the file on; 0: from the first. A group is valid until the next is asked for. */
export async function* parquetGroups(
  file: TableFile,
  from: number,
): AsyncGenerator<TableGroup, void, undefined> {
  const size = await file.source.sizeOf(file.location, file.signal);
  const metadata = await readFooter(file, size);
  checkColumns(metadata, file.columns, size);
  const plans = columnPlans(metadata, file.columns);
  const memory = new ColumnMemory();
  let rowStart = 0;
  let isFound = from === 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const at = startOf(group);
    isFound ||= at === from;
    if (isFound && rows > 0) {
      checkGroup(group, file.columns, at);
      const options = { file, size, metadata, group, rowStart, rows, at, memory };
      const reading = new GroupReading(options);
      const columns = await reading.columns(plans);
      yield { at, rows, fields: plans.map(({ field }) => field), columns };
    }
    rowStart += rows;
  }
  if (isFound) return;
  throw new FormatError('no row group of the file starts there: it has changed', from);
}

interface GroupOptions {
  readonly file: TableFile;
  readonly size: number;
  readonly metadata: FileMetaData;
  readonly group: RowGroup;
  /** The row of the file that it begins with. */
  readonly rowStart: number;
  readonly rows: number;
  readonly at: number;
  readonly memory: ColumnMemory;
}

class GroupReading {
  readonly #options: GroupOptions;
  readonly #compressors: Compressors;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#compressors = compressorsFor({ bytes: 0 }, options.at);
    options.memory.begin((bytes) => checkBytes(bytes, options.at));
  }

  async columns(plans: readonly ColumnPlan[]): Promise<readonly ColumnData[]> {
    const columns: ColumnData[] = [];
    // The bytes of the next column are read while one is decoded.
    const readings = plans.map((plan) => () => this.#bytesOf(plan));
    let next = readings[0]?.();
    for (const [index, plan] of plans.entries()) {
      const bytes = await next;
      next = readings[index + 1]?.();
      // Whoever waits for it hears of it; a failure before that ends both.
      next?.catch(() => undefined);
      columns.push(await this.#column(plan, bytes ?? null));
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

  async #column(plan: ColumnPlan, bytes: Uint8Array | null): Promise<ColumnData> {
    const { at, rows, memory } = this.#options;
    const meta = plan.type === 'other' ? null : this.#metaOf(plan.leaf.path);
    try {
      if (plan.type === 'other' || meta === null || bytes === null) return await this.#other(plan);
      const pages = this.#pagesOf(meta, bytes);
      if (pages === null) return await this.#other(plan);
      return decodeColumn(plan, pages, rows, memory);
    } catch (error) {
      if (error instanceof OtherEncoding) return this.#other(plan);
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
  async #other({ field }: ColumnPlan): Promise<ColumnData> {
    const { file, size, metadata, rowStart, rows, at } = this.#options;
    try {
      const decoded = await parquetReadObjects({
        file: bufferOf(file, size),
        metadata,
        columns: [field.name],
        rowStart,
        rowEnd: rowStart + rows,
        compressors: this.#compressors,
        utf8: false,
      });
      if (decoded.length !== rows) throw new RangeError(`${decoded.length} of ${rows} rows`);
      return columnOf(
        field.type,
        decoded.map((row) => row[field.name]),
      );
    } catch (error) {
      throw told(error, at);
    }
  }
}

function told(error: unknown, at: number): unknown {
  if (error instanceof FormatError || error instanceof Mx8Error) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FormatError(`a Parquet row group that cannot be decoded (${reason})`, at);
}
