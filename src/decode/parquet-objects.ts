/** Rows of a row group as hyparquet gives them: a JavaScript object for each. */
import { parquetReadObjects, parquetSchema } from 'hyparquet';
import type { Compressors, FileMetaData, RowGroup, SchemaTree } from 'hyparquet';

import { Mx8Error } from '../core/base/errors.ts';
import { FormatError } from '../core/format/format-error.ts';
import { bufferOf } from './parquet-file.ts';
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
    checkPaths(metadata, group, columns);
    const objects = await parquetReadObjects({
      file: bufferOf(file, size),
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
function checkPaths(
  metadata: FileMetaData,
  group: RowGroup,
  columns: readonly string[] | null,
): void {
  const root = parquetSchema(metadata);
  for (const { meta_data: meta } of group.columns) {
    const path = meta?.path_in_schema ?? [];
    if (columns?.includes(path[0] ?? '') === false) continue;
    let tree: SchemaTree | undefined = root;
    for (const name of path) {
      tree = tree?.children.find(({ element }) => element.name === name);
    }
    if (tree?.children.length === 0) continue;
    throw new RangeError(`${JSON.stringify(path.join('.'))} is no column of its schema`);
  }
}

/** What goes wrong in decoding, as an error of the file. */
export function told(error: unknown, at: number): unknown {
  if (error instanceof FormatError || error instanceof Mx8Error) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FormatError(`a Parquet row group that cannot be decoded (${reason})`, at);
}
