/** Rows of `files()` and `tar()`: bytes with a name. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobBatch } from './batch.ts';
import { checkName, defaultName } from './output-name.ts';

export interface FileRow {
  /** Bytes, or a text that is written as UTF-8. Not empty: a data set has no empty samples. */
  readonly data: Uint8Array | string;
  /** Name below the output folder, with `/` for folders; default: made of the source's name and id. */
  readonly name?: string;
  /** The sample of the batch it was made from; may be left out when there is a row for each. */
  readonly sampleId?: number;
}

export interface CheckedRow {
  readonly name: string;
  readonly data: Uint8Array;
  readonly sampleId: number;
}

const encoder = new TextEncoder();

/** The rows with their names and samples, or `row_invalid` before anything is written. */
export function checkFileRows(rows: readonly FileRow[], batch: JobBatch): readonly CheckedRow[] {
  const indexOf = new Map<number, number>();
  batch.records.forEach((record, index) => indexOf.set(record.sampleId, index));
  return rows.map((row, place) => checkRow(row, place, rows.length, batch, indexOf));
}

function checkRow(
  row: FileRow,
  place: number,
  rowCount: number,
  batch: JobBatch,
  indexOf: ReadonlyMap<number, number>,
): CheckedRow {
  if (typeof row !== 'object' || row === null) {
    throw bad(place, `it is ${row === null ? 'null' : typeof row}, not { data, name?, sampleId? }`);
  }
  const sampleId = row.sampleId ?? sampleAt(place, rowCount, batch);
  const record = batch.records[indexOf.get(sampleId) ?? -1];
  if (record === undefined) throw bad(place, `sample ${sampleId} is not one of its batch`);
  const data = typeof row.data === 'string' ? encoder.encode(row.data) : row.data;
  if (!(data instanceof Uint8Array)) {
    throw bad(place, `data of sample ${sampleId} is ${typeof data}, not bytes or a text`, sampleId);
  }
  if (data.length === 0) {
    const way = 'a data set has no empty samples; return no row for it instead';
    throw bad(place, `data of sample ${sampleId} is empty: ${way}`, sampleId);
  }
  const name = row.name === undefined ? defaultName(record) : checkName(row.name, sampleId);
  return { name, data, sampleId };
}

function sampleAt(place: number, rowCount: number, batch: JobBatch): number {
  const record = rowCount === batch.length ? batch.records[place] : undefined;
  if (record !== undefined) return record.sampleId;
  throw bad(
    place,
    `there are ${rowCount} rows for ${batch.length} samples; give each its sampleId`,
  );
}

function bad(place: number, reason: string, sampleId?: number): Mx8Error {
  const details = sampleId === undefined ? { row: place } : { row: place, sample_id: sampleId };
  return new Mx8Error('row_invalid', `row ${place} of the batch: ${reason}`, details);
}
