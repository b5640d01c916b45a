/**
 * The canonical bytes of a manifest: the header line, then one line per sample. Whoever writes a
 * manifest writes it with this, so that equal data sets have equal hashes.
 */
import { Mx8Error } from '../base/errors.ts';
import { isLocation } from './location.ts';
import type { SampleRecord } from './record.ts';

export const MANIFEST_SCHEMA_VERSION = 0;
export const MANIFEST_HEADER = 'schema_version=0\n';
export const MANIFEST_HEADER_BYTES: number = MANIFEST_HEADER.length;

const encoder = new TextEncoder();

/** The lines of `records`, which run on from whatever was encoded before, without the header. */
export function encodeRecords(records: readonly SampleRecord[]): Uint8Array {
  let text = '';
  for (const record of records) text += encodeRecord(record);
  return encoder.encode(text);
}

export function encodeHeader(): Uint8Array {
  return encoder.encode(MANIFEST_HEADER);
}

/** One line with its `\n`; `manifest_invalid` when the record has no canonical form. */
export function encodeRecord(record: SampleRecord): string {
  const { sampleId, location, byteOffset, byteLength, decodeHint } = record;
  if (!isCount(sampleId)) throw unwritable(record, `${sampleId} is no sample id`);
  if (!isLocation(location)) {
    throw unwritable(
      record,
      'a location is an absolute path or a URL, without a tab or a line break in it',
    );
  }
  if (/[\t\r\n]/.test(decodeHint) || !decodeHint.isWellFormed()) {
    throw unwritable(record, 'a decode hint is text without tabs and line breaks');
  }
  if (byteOffset === null && byteLength === null) {
    return `${sampleId}\t${location}\t\t\t${decodeHint}\n`;
  }
  if (byteOffset === null || byteLength === null || !isExtent(byteOffset, byteLength)) {
    throw unwritable(
      record,
      `offset ${byteOffset} and length ${byteLength} do not name a part of a file`,
    );
  }
  return `${sampleId}\t${location}\t${byteOffset}\t${byteLength}\t${decodeHint}\n`;
}

/** True when [offset, offset + length) is a part of a file with at least one byte. */
export function isExtent(byteOffset: number, byteLength: number): boolean {
  return (
    isCount(byteOffset) && isCount(byteLength) && byteLength > 0 && isCount(byteOffset + byteLength)
  );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function unwritable(record: SampleRecord, what: string): Mx8Error {
  return new Mx8Error(
    'manifest_invalid',
    `Sample ${record.sampleId} at ${JSON.stringify(record.location)} cannot be written to a manifest: ${what}.`,
    { sample_id: record.sampleId, location: record.location },
  );
}
