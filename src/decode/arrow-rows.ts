/**
 * The rows of an Arrow file or stream as lines of JSON, record batch by record batch: as of a Parquet file, with
 * record batches for row groups.
 */
import { FormatError } from '../core/format/format-error.ts';
import { arrowBatches, batchMessage } from './arrow-messages.ts';
import type { FoundBatch } from './arrow-messages.ts';
import { rowTexts } from './arrow-table.ts';
import { jsonLines } from './json-lines.ts';
import { TABLE_GROUP_ROWS_MAX } from './limits.ts';
import type { TableFile } from './table-file.ts';
import type { UnpackedChunk } from './unpack.ts';

/** From the record batch at byte `from` of the file on; 0: from the first. */
export async function* arrowRows(
  file: TableFile,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const size = await file.source.sizeOf(file.location, file.signal);
  let isFound = from === 0;
  for await (const batch of arrowBatches(file, size)) {
    isFound ||= batch.found.at === from;
    if (isFound) yield* batchRows(file, batch);
  }
  if (!isFound) {
    throw new FormatError('no record batch of the file starts there: it has changed', from);
  }
}

async function* batchRows(
  file: TableFile,
  { schema, choice, dictionaries, found }: FoundBatch,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const { message, at } = found;
  if (message.type !== 'batch' || message.rows === 0) return;
  const { rows } = message;
  checkRows(rows, at);
  const messages = [
    schema,
    ...dictionaries.map(({ whole }) => whole),
    await batchMessage(file, { found, choice }),
  ];
  const textOf = rowTexts(messages, rows, file.columns, at);
  yield* jsonLines(rows, textOf, at);
}

export function checkRows(rows: number, at: number): void {
  if (rows >= 0 && rows <= TABLE_GROUP_ROWS_MAX) return;
  const what = `an Arrow record batch of ${rows} rows; at most ${TABLE_GROUP_ROWS_MAX} can be decoded at a time`;
  throw new FormatError(`${what}: write the file with smaller batches`, at);
}
