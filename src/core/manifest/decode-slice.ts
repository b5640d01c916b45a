/** Canonical lines that are in memory already, without the header: a slice of a manifest. */
import { lineError } from './line-error.ts';
import { LineSplitter } from './line-splitter.ts';
import { isUrl } from './location.ts';
import { parseLine } from './parse-line.ts';
import type { SampleRecord } from './record.ts';

/** Lines before the first record. */
const HEADER_LINES = 1;

/**
 * Records [start, start + n) from exactly their lines. The ids must run on from `start`: a slice cut at
 * a wrong place is `manifest_invalid`, never other samples.
 */
export function decodeSlice(
  bytes: Uint8Array,
  start: number,
  source: string = 'the manifest',
): SampleRecord[] {
  const splitter = new LineSplitter(source);
  const lines = splitter.push(bytes);
  splitter.finish();
  return lines.map((text, index) => {
    const sampleId = start + index;
    const line = HEADER_LINES + sampleId + 1;
    const record = parseLine(text, line, source, 'canonical');
    if (record.sampleId !== sampleId) {
      const what = `it holds sample_id ${record.sampleId} where ${sampleId} belongs`;
      throw lineError(source, line, what);
    }
    return record;
  });
}

/**
 * The records with what is known of their objects: `bytes` has one number for each, above 0 where it is, and
 * `tags` too, where the object is in a store.
 */
export function withPins(
  records: readonly SampleRecord[],
  bytes: ArrayLike<number>,
  tags: ArrayLike<number>,
): readonly SampleRecord[] {
  return records.map((record, index) => {
    const pinnedBytes = bytes[index] ?? 0;
    const pinnedTag = isUrl(record.location) ? (tags[index] ?? 0) : 0;
    if (pinnedTag > 0) {
      const isWhole = pinnedBytes > 0 && record.byteLength === null;
      return { ...record, ...(isWhole ? { pinnedBytes } : {}), pinnedTag };
    }
    return pinnedBytes > 0 && record.byteLength === null ? { ...record, pinnedBytes } : record;
  });
}
