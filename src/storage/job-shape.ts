/** What reading a job costs, about: decides who reads it. */
import { GAP_BYTES_MAX } from './fill-extents.ts';
import type { ReadJob } from './read-job.ts';

/** Open, read, read the end, close. */
const CALLS_PER_FILE = 4;

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
