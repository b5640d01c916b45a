/** Samples in tars that `pack` or a job wrote: what stands in the header before each. */
import { Mx8Error } from '../core/base/errors.ts';
import { decodeUstarHeader } from '../core/base/ustar.ts';
import type { UstarEntry } from '../core/base/ustar.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

const PACKED = /\/shards\/shard-\d{5,}\.tar$/;
const PART_OF_JOB = /\/part-\d{12,}-\d{12,}\.tar$/;

/** Of other tars nobody knows what is where. */
export function hasHeader({ location, decodeHint }: SampleRecord): boolean {
  return PACKED.test(location) || (PART_OF_JOB.test(location) && decodeHint === '');
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
  // Entries of a job's output are named by the job.
  if (PACKED.test(record.location) && !entry.name.startsWith(`${id}.`)) {
    return `The tar header ${where} names "${entry.name}", not ${id}.`;
  }
  if (entry.size !== record.byteLength) {
    return `The tar header ${where} says ${entry.size} bytes, the manifest ${record.byteLength}.`;
  }
  return null;
}
