/**
 * The rows of a Parquet file as lines of JSON, row group by row group: what a compressed file of JSON lines would
 * be, with its row groups for frames. A row group is decoded as a whole, as its columns lie one after the other.
 */
import { parquetReadObjects } from 'hyparquet';
import type { AsyncBuffer, FileMetaData, RowGroup } from 'hyparquet';

import { FormatError } from '../core/format/format-error.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { jsonLines, rowText } from './json-lines.ts';
import {
  bufferOf,
  checkColumns,
  checkGroup,
  compressorsFor,
  readFooter,
  startOf,
} from './parquet-file.ts';
import type { TableFile } from './table-file.ts';
import type { UnpackedChunk } from './unpack.ts';

/** From the row group at byte `from` of the file on; 0: from the first. */
export async function* parquetRows(
  parquet: TableFile,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const { source, location, signal } = parquet;
  const size = await source.sizeOf(location, signal);
  const metadata = await readFooter(parquet, size);
  checkColumns(metadata, parquet.columns, size);
  const file = bufferOf(parquet, size);
  let rowStart = 0;
  let isFound = from === 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const at = startOf(group);
    isFound ||= at === from;
    if (isFound && rows > 0) {
      yield* groupRows(parquet, file, metadata, { group, at, rowStart, rows });
    }
    rowStart += rows;
  }
  if (!isFound)
    throw new FormatError('no row group of the file starts there: it has changed', from);
}

interface Group {
  readonly group: RowGroup;
  readonly at: number;
  readonly rowStart: number;
  readonly rows: number;
}

async function* groupRows(
  { columns }: TableFile,
  file: AsyncBuffer,
  metadata: FileMetaData,
  { group, at, rowStart, rows }: Group,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  checkGroup(group, columns, at);
  const budget = { bytes: 0 };
  const decoded = await parquetReadObjects({
    file,
    metadata,
    ...(columns === null ? {} : { columns: [...columns] }),
    rowStart,
    rowEnd: rowStart + rows,
    compressors: compressorsFor(budget, at),
    utf8: false,
  }).catch((error: unknown) => {
    if (error instanceof FormatError || error instanceof Mx8Error) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`a Parquet row group that cannot be decoded (${reason})`, at);
  });
  if (decoded.length !== rows) {
    const what = `a Parquet row group of ${rows} rows has ${decoded.length}`;
    throw new FormatError(what, at);
  }
  yield* jsonLines(rows, (row) => rowText(decoded[row] ?? {}), at);
}
