/** What a follower reads: a listing that goes on, here or in another process, or what became of it. */
import type {
  FileStamps,
  ListedFiles,
  ManifestReader,
  ManifestSpool,
  StampWriter,
} from '../ports/manifest-store.ts';
import { COMPARE_CHUNK_BYTES, COMPARE_CHUNK_SAMPLES } from './limits.ts';

/** Stamps until the writer is disposed of. */
export function filesOfListing(spool: ManifestSpool, stamps: StampWriter): ListedFiles {
  return {
    read: (start, end) => spool.read(start, end),
    // At once: a moment later they may not be there any more.
    stamps: (start, end) => Promise.resolve(stamps.read(start, end)),
    close: () => spool.close(),
  };
}

export function filesOfSnapshot(reader: ManifestReader): ListedFiles {
  return {
    read: (start, end) => reader.range(start, Math.min(end, reader.manifestBytes)),
    stamps: (start, end) => reader.stamps(start, end),
    close: () => reader.close(),
  };
}

/** Whether two listings begin with the same `samples`, whose lines end at byte `end`. */
export async function beginAlike(
  one: () => ListedFiles,
  other: () => ListedFiles,
  samples: number,
  end: number,
): Promise<boolean> {
  for (let at = 0; at < end; at += COMPARE_CHUNK_BYTES) {
    const to = Math.min(end, at + COMPARE_CHUNK_BYTES);
    const [mine, theirs] = [await one().read(at, to), await other().read(at, to)];
    if (Buffer.compare(mine, theirs) !== 0) return false;
  }
  for (let at = 0; at < samples; at += COMPARE_CHUNK_SAMPLES) {
    const to = Math.min(samples, at + COMPARE_CHUNK_SAMPLES);
    const [mine, theirs] = [await one().stamps(at, to), await other().stamps(at, to)];
    if (!areAlike(mine, theirs, to - at)) return false;
  }
  return true;
}

/** Nothing known of all of them is as -1 for each. */
function areAlike(one: FileStamps | null, other: FileStamps | null, count: number): boolean {
  for (let at = 0; at < count; at += 1) {
    if ((one?.bytes[at] ?? -1) !== (other?.bytes[at] ?? -1)) return false;
    if ((one?.mtimesMs[at] ?? -1) !== (other?.mtimesMs[at] ?? -1)) return false;
  }
  return true;
}
