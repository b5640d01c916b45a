/** Rows of a row group as hyparquet gives them: a JavaScript object for each. */
import { parquetReadObjects, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData, RowGroup, SchemaTree } from 'hyparquet';
import {
  getMaxDefinitionLevel,
  getMaxRepetitionLevel,
  isFlatColumn,
} from 'hyparquet/src/schema.js';

import { Mx8Error } from '../core/base/errors.ts';
import { FormatError } from '../core/format/format-error.ts';
import { checkPages } from './parquet-checks.ts';
import type { CheckedColumn } from './parquet-checks.ts';
import { bufferOf, compressorsFor } from './parquet-file.ts';
import type { TableFile } from './table-file.ts';

export interface GroupOfFile {
  readonly file: TableFile;
  readonly size: number;
  readonly metadata: FileMetaData;
  readonly group: RowGroup;
  /** The row of the file that it begins with. */
  readonly rowStart: number;
  readonly rows: number;
  readonly at: number;
}

export type Row = Readonly<Record<string, unknown>>;

/** `columns` are those of the schema; null: all. What cannot be decoded is a `FormatError`. */
export async function rowObjects(
  { file, size, metadata, group, rowStart, rows, at }: GroupOfFile,
  columns: readonly string[] | null,
  compressors: Compressors,
): Promise<Row[]> {
  try {
    const checked = checkedColumns(metadata, group, rows, columns);
    // What is checked is decompressed for that, which the budget of the row group does not count.
    const forChecks = compressorsFor({ bytes: 0 }, at);
    const objects = await parquetReadObjects({
      file: checkedBuffer(bufferOf(file, size), checked, forChecks),
      metadata,
      ...(columns === null ? {} : { columns: [...columns] }),
      rowStart,
      rowEnd: rowStart + rows,
      compressors,
      utf8: false,
    });
    if (objects.length === rows) return objects;
  } catch (error) {
    throw told(error, at);
  }
  throw new FormatError(`a Parquet row group whose columns have not its ${rows} rows`, at);
}

/**
 * That each column is one of the schema. hyparquet finds that out when it has begun to read the columns before,
 * and then waits for none of them: where one of those failed too, that would end the process.
 */
function checkedColumns(
  metadata: FileMetaData,
  group: RowGroup,
  rows: number,
  columns: readonly string[] | null,
): readonly CheckedColumn[] {
  const root = parquetSchema(metadata);
  return group.columns.flatMap(({ meta_data: meta }) => {
    const path = meta?.path_in_schema ?? [];
    if (columns?.includes(path[0] ?? '') === false) return [];
    const trees: SchemaTree[] = [root];
    for (const name of path) {
      const found = trees.at(-1)?.children.find(({ element }) => element.name === name);
      if (found === undefined) throw notInSchema(path);
      trees.push(found);
    }
    const leaf = trees.at(-1);
    if (meta === undefined || leaf === undefined || leaf.children.length > 0) {
      throw notInSchema(path);
    }
    const repetitionMax = getMaxRepetitionLevel(trees);
    const definitionMax = getMaxDefinitionLevel(trees);
    const isFlat = isFlatColumn(trees);
    return [
      { meta, element: leaf.element, repetitionMax, definitionMax, rows: isFlat ? rows : null },
    ];
  });
}

function notInSchema(path: readonly string[]): RangeError {
  return new RangeError(`${JSON.stringify(path.join('.'))} is no column of its schema`);
}

/** Its columns are checked as they come, before hyparquet has them. */
function checkedBuffer(
  file: AsyncBuffer,
  columns: readonly CheckedColumn[],
  compressors: Compressors,
): AsyncBuffer {
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const buffer = await file.slice(start, end);
    const bytes = new Uint8Array(buffer);
    for (const column of columns) {
      const { meta } = column;
      const place = meta.dictionary_page_offset || meta.data_page_offset;
      const first = Number(place);
      const last = Number(place + meta.total_compressed_size);
      if (first < start || last > end) continue;
      checkPages(bytes.subarray(first - start, last - start), column, compressors);
    }
    return buffer;
  };
  return {
    byteLength: file.byteLength,
    slice(start, end = file.byteLength) {
      const reading = read(start, end);
      // What is read ahead may never be asked for: a failure of it is nobody's.
      reading.catch(() => undefined);
      return reading;
    },
  };
}

/** What goes wrong in decoding, as an error of the file. */
export function told(error: unknown, at: number): unknown {
  if (error instanceof FormatError || error instanceof Mx8Error) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FormatError(`a Parquet row group that cannot be decoded (${reason})`, at);
}
