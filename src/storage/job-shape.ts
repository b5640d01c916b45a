/** What reading a job costs, about: decides who reads it. */
import { GAP_BYTES_MAX } from './fill-extents.ts';
import type { ReadJob } from './read-job.ts';

/** Open, read, read the end, close. */
const CALLS_PER_FILE = 4;
/** So many files in the page cache are read in about a millisecond … */
const SHORT_FILES_MAX = 128;
/** … where they are not large. */
const SHORT_FILES_BYTES_MAX: number = 4 * 1024 ** 2;

export interface JobShape {
  /** System calls. */
  readonly calls: number;
  /** Whole files among the samples. */
  readonly files: number;
  /** Of records; those of whole files are not known. */
  readonly bytes: number;
  /** The shards it reads, each once for each run of its samples. */
  readonly shards: readonly string[];
}

export function shapeOf({ locations, offsets, lengths }: ReadJob): JobShape {
  const shards: string[] = [];
  let files = 0;
  let runs = 0;
  let bytes = 0;
  let location = '';
  let end = 0;
  for (let index = 0; index < locations.length; index += 1) {
    const offset = offsets[index] ?? 0;
    if (offset === -1) {
      files += 1;
      continue;
    }
    const length = lengths[index] ?? 0;
    const path = locations[index] ?? '';
    const gap = offset - end;
    const isSame = path === location;
    if (!isSame) shards.push(path);
    if (!isSame || gap < 0 || gap > GAP_BYTES_MAX) runs += 1;
    bytes += length;
    location = path;
    end = offset + length;
  }
  return { calls: files * CALLS_PER_FILE + runs, files, bytes, shards };
}

/** Whether a job with a slab of so many bytes is of whole files only, so few and small that they may be read in no time. */
export function areFewSmallFiles({ files, shards }: JobShape, slabBytes: number): boolean {
  if (files === 0 || shards.length > 0 || files > SHORT_FILES_MAX) return false;
  return slabBytes <= SHORT_FILES_BYTES_MAX;
}
