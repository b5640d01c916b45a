/** Samples in shards that `pack` wrote: what stands in the tar header before each. */
import { Mx8Error } from '../core/base/errors.ts';
import { decodeUstarHeader } from '../core/base/ustar.ts';
import type { UstarEntry } from '../core/base/ustar.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

/** Other tars name their entries as they like. */
export function isPackedShard(location: string): boolean {
  return /\/shards\/shard-\d{5,}\.tar$/.test(location);
}

/** What the header says against the record; null when they agree. */
export function headerDifference(header: Uint8Array, record: SampleRecord): string | null {
  const id = String(record.sampleId).padStart(20, '0');
  const where = `before byte ${record.byteOffset} of ${record.location}`;
  let entry: UstarEntry | null;
  try {
    entry = decodeUstarHeader(header);
  } catch (error) {
    if (!(error instanceof Mx8Error)) throw error;
    return `There is no tar header ${where}: ${error.message}`;
  }
  if (entry === null) return `There is no tar header ${where}, but the end of the archive.`;
  if (!entry.name.startsWith(`${id}.`)) {
    return `The tar header ${where} names "${entry.name}", not ${id}.`;
  }
  if (entry.size !== record.byteLength) {
    return `The tar header ${where} says ${entry.size} bytes, the manifest ${record.byteLength}.`;
  }
  return null;
}
