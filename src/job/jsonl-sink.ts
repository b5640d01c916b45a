/** `jsonl()`: one line of JSON for each row. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobBatch } from './batch.ts';
import { partName } from './output-name.ts';
import type { AppendFile, OutputRecord, Sink } from './sink.ts';

/** Any value that JSON can hold. Numbers must be finite; typed arrays are not JSON arrays. */
export type JsonRow = object | string | number | boolean | null;

const encoder = new TextEncoder();

/** Rows as lines of JSON, in `part-<first sample>-<end>.jsonl`, in the order of the samples. */
export function jsonl(dir: string | null = null): Sink<JsonRow> {
  return {
    kind: 'jsonl',
    dir,
    async openPart(part) {
      const file = await part.appendFile((range) => partName(range, 'jsonl'));
      return {
        write: (rows, batch) => writeRows(file, rows, batch),
        finish: () => {},
      };
    },
  };
}

async function writeRows(
  file: AppendFile,
  rows: readonly JsonRow[],
  batch: JobBatch,
): Promise<void> {
  const records: OutputRecord[] = [];
  const lines: Uint8Array[] = [];
  let offset = file.sizeBytes;
  for (const [index, row] of rows.entries()) {
    const line = encoder.encode(`${asJson(row, index, rows.length, batch)}\n`);
    const sampleId = rows.length === batch.length ? (batch.sampleIds[index] ?? null) : null;
    records.push({ offset, length: line.length - 1, sampleId });
    lines.push(line);
    offset += line.length;
  }
  // Only once every row has become text: a row that cannot must leave nothing behind.
  for (const line of lines) await file.append(line);
  for (const record of records) file.record(record);
}

function asJson(row: JsonRow, index: number, rowCount: number, batch: JobBatch): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(row);
  } catch (error) {
    throw bad(index, rowCount, batch, error instanceof Error ? error.message : String(error));
  }
  if (text === undefined) throw bad(index, rowCount, batch, `it is ${typeof row}`);
  // What JSON.stringify changes without a word always leaves one of these traces in the text.
  if (text.includes('null') || text.includes('{"0":') || text === '{}' || text.includes(':{}')) {
    const lost = lossIn(row, '', 0);
    if (lost !== null) throw bad(index, rowCount, batch, lost);
  }
  return text;
}

/** Deeper than any sensible row; deeper ones have been refused by JSON.stringify as cycles or not. */
const DEPTH_MAX = 64;

/** What of the value JSON would change without a word; null: nothing. */
export function lossIn(value: unknown, path: string, depth: number): string | null {
  const here = path === '' ? 'it' : path;
  if (typeof value === 'number' && !Number.isFinite(value)) return `${here} is ${value}`;
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
    return `${here} is ${typeof value}`;
  }
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return null;
  if (ArrayBuffer.isView(value)) {
    return `${here} is a ${value.constructor.name}; make it an array with Array.from()`;
  }
  if (value instanceof Map || value instanceof Set) {
    return `${here} is a ${value.constructor.name}, which JSON writes as {}`;
  }
  if ('toJSON' in value) return null;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const lost = lossIn(item, `${path}[${index}]`, depth + 1);
      if (lost !== null) return lost;
    }
    return null;
  }
  for (const [key, item] of Object.entries(value)) {
    // A field that is undefined is left out, which is what its author means by it.
    if (item === undefined) continue;
    const lost = lossIn(item, path === '' ? key : `${path}.${key}`, depth + 1);
    if (lost !== null) return lost;
  }
  return null;
}

function bad(index: number, rowCount: number, batch: JobBatch, reason: string): Mx8Error {
  const sampleId = rowCount === batch.length ? batch.sampleIds[index] : undefined;
  const owner =
    sampleId === undefined ? `row ${index} of the batch` : `the row of sample ${sampleId}`;
  const details = sampleId === undefined ? { row: index } : { sample_id: sampleId };
  return new Mx8Error('row_invalid', `${owner} cannot be written as JSON: ${reason}`, details);
}
