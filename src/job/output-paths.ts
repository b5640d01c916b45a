/** Where MX8 keeps its own files in an output. All names are relative to the output. */
import type { SampleRange } from '../core/base/range.ts';
import type { LeaseId } from '../core/base/units.ts';
import { idDigits } from './output-name.ts';

/** Says which job the output belongs to. */
export const CLAIM_FILE = '_mx8/job.json';

/** The output as a data set; once it is there, everything is published. */
export const MANIFEST_FILE = '_mx8/manifest.tsv';

export const QUARANTINE_FILE = '_mx8/quarantine.jsonl';

export const STAGING_FOLDER = '_mx8/staging';

/** Everything made under one lease; the token in the path keeps it from all others. */
export function leaseFolder(leaseId: LeaseId): string {
  return `${STAGING_FOLDER}/${leaseId}`;
}

/** A piece that is staged whole: its files are durable and listed. */
export function stagedIndexName(leaseId: LeaseId, range: SampleRange): string {
  return pieceName(leaseId, range, 'staged');
}

/** The same index once every file of the piece is under its final name. */
export function publishedIndexName(leaseId: LeaseId, range: SampleRange): string {
  return pieceName(leaseId, range, 'published');
}

/** Says that the piece's names were found taken by others, and that this was told. */
export function collisionName(leaseId: LeaseId, range: SampleRange): string {
  return pieceName(leaseId, range, 'collision');
}

function pieceName(leaseId: LeaseId, range: SampleRange, kind: string): string {
  return `${leaseFolder(leaseId)}/${idDigits(range.start)}-${idDigits(range.end)}.${kind}`;
}
