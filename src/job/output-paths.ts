/** Where MX8 keeps its own files in an output folder. */
import { join } from 'node:path';
import type { SampleRange } from '../core/base/range.ts';
import type { LeaseId } from '../core/base/units.ts';
import { idDigits } from './output-name.ts';

export const META_FOLDER = '_mx8';

export function metaFolder(out: string): string {
  return join(out, META_FOLDER);
}

/** Says which job the folder belongs to. */
export function claimPath(out: string): string {
  return join(out, META_FOLDER, 'job.json');
}

/** The output as a data set; once it is there, everything is published. */
export function manifestPath(out: string): string {
  return join(out, META_FOLDER, 'manifest.tsv');
}

export function quarantinePath(out: string): string {
  return join(out, META_FOLDER, 'quarantine.jsonl');
}

export function stagingFolder(out: string): string {
  return join(out, META_FOLDER, 'staging');
}

/** Everything made under one lease; the token in the path keeps it from all others. */
export function leaseFolder(out: string, leaseId: LeaseId): string {
  return join(stagingFolder(out), leaseId);
}

/** A piece that is staged whole: its files are durable and listed. */
export function stagedIndexPath(out: string, leaseId: LeaseId, range: SampleRange): string {
  return join(leaseFolder(out, leaseId), `${idDigits(range.start)}-${idDigits(range.end)}.staged`);
}

/** The same index once every file of the piece is under its final name. */
export function publishedIndexPath(out: string, leaseId: LeaseId, range: SampleRange): string {
  const name = `${idDigits(range.start)}-${idDigits(range.end)}.published`;
  return join(leaseFolder(out, leaseId), name);
}

/** Says that the piece's names were found taken by others, and that this was told. */
export function collisionPath(out: string, leaseId: LeaseId, range: SampleRange): string {
  const name = `${idDigits(range.start)}-${idDigits(range.end)}.collision`;
  return join(leaseFolder(out, leaseId), name);
}
