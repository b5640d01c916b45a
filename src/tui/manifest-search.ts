/** Searches a manifest from a row on, round the end, a slice at a time. */
import type { SampleRecord } from '../core/manifest/record.ts';
import { SEARCH_ROWS } from './limits.ts';
import type { ManifestSource } from './manifest-source.ts';

/**
 * Whether a row has the text in its location or hint. A text without capitals also finds capitals, as in
 * pagers.
 */
export function rowMatcher(text: string): (row: SampleRecord) => boolean {
  const isExact = text !== text.toLowerCase();
  if (isExact) return (row) => row.location.includes(text) || row.decodeHint.includes(text);
  return (row) =>
    row.location.toLowerCase().includes(text) || row.decodeHint.toLowerCase().includes(text);
}

export interface SearchOptions {
  readonly source: ManifestSource;
  readonly text: string;
  /** The first row that is looked at. */
  readonly from: number;
  readonly signal: AbortSignal;
  readonly onProgress: (scanned: number) => void;
}

/** The id of the next row that matches; null where no row does. */
export async function findRow(options: SearchOptions): Promise<number | null> {
  for await (const row of matches(options)) return row.sampleId;
  return null;
}

/** The first rows that match, at most `limit`. */
export async function findRows(
  options: SearchOptions,
  limit: number,
): Promise<readonly SampleRecord[]> {
  const found: SampleRecord[] = [];
  for await (const row of matches(options)) {
    found.push(row);
    if (found.length >= limit) break;
  }
  return found;
}

async function* matches(options: SearchOptions): AsyncGenerator<SampleRecord> {
  const { source, text, from, signal, onProgress } = options;
  const isMatch = rowMatcher(text);
  let scanned = 0;
  for (const [start, end] of [
    [from, source.sampleCount],
    [0, Math.min(from, source.sampleCount)],
  ] as const) {
    for (let at = start; at < end; at += SEARCH_ROWS) {
      signal.throwIfAborted();
      const rows = await source.rows(at, Math.min(end, at + SEARCH_ROWS), signal);
      for (const row of rows) if (isMatch(row)) yield row;
      scanned += rows.length;
      onProgress(scanned);
    }
  }
}
