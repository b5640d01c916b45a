/**
 * How large the parts of shards are. Stores take so many parts of one object and no more, so large shards take larger
 * parts, and fewer of those are in memory at a time.
 */
import { Mx8Error } from '../core/base/errors.ts';
import {
  PACK_PARTS_AT_ONCE,
  PACK_PARTS_AT_ONCE_MIN,
  PACK_PART_BYTES,
  PACK_PART_BYTES_MAX,
} from './limits.ts';
import type { PreparedShard } from './pack-prepared.ts';

export interface PartSizes {
  /** Of every part but the last of a shard. */
  readonly partBytes: number;
  /** In memory, of all shards together. */
  readonly partsAtOnce: number;
}

export interface PartLimits {
  /** What the store takes of one object. */
  readonly partsMax: number;
  /** Parts may take as much again as the samples that are read ahead, and 80 MiB in any case. */
  readonly maxInflightBytes: number;
}

/** `flag_invalid` where a shard has too many parts of the size that fits into memory. */
export function partSizes(shards: readonly PreparedShard[], limits: PartLimits): PartSizes {
  const largest = shards.reduce<PreparedShard | null>(
    (most, shard) => (most === null || shard.bytes > most.bytes ? shard : most),
    null,
  );
  const partBytes = partBytesOf(largest?.bytes ?? 0, limits.partsMax);
  const memory = Math.max(PACK_PARTS_AT_ONCE * PACK_PART_BYTES, limits.maxInflightBytes);
  const partBytesMax = Math.min(
    PACK_PART_BYTES_MAX,
    Math.floor(memory / PACK_PARTS_AT_ONCE_MIN / PACK_PART_BYTES) * PACK_PART_BYTES,
  );
  if (largest !== null && partBytes > partBytesMax) {
    throw tooLarge(largest, partBytes, partBytesMax, limits);
  }
  const fitting = Math.floor(memory / partBytes);
  const partsAtOnce = Math.min(PACK_PARTS_AT_ONCE, Math.max(PACK_PARTS_AT_ONCE_MIN, fitting));
  return { partBytes, partsAtOnce };
}

/** The smallest of which there are not too many. */
function partBytesOf(shardBytes: number, partsMax: number): number {
  return Math.max(1, Math.ceil(shardBytes / (partsMax * PACK_PART_BYTES))) * PACK_PART_BYTES;
}

function tooLarge(
  { name, bytes, sampleCount }: PreparedShard,
  partBytes: number,
  partBytesMax: number,
  { partsMax }: PartLimits,
): Mx8Error {
  const what = `The shard ${name} would have ${bytes} bytes, of ${sampleCount} samples; the store takes ${partsMax} parts of an object, and parts of ${partBytesMax} bytes fit into memory.`;
  const ways: string[] = [];
  // A sample is never cut.
  if (sampleCount > 1) ways.push(`--shard-size ${partBytesMax * partsMax} or less`);
  if (partBytes <= PACK_PART_BYTES_MAX) {
    ways.push(`--max-inflight-bytes ${partBytes * PACK_PARTS_AT_ONCE_MIN} or more`);
  }
  const way = ways.length === 0 ? 'Leave that sample out.' : `Give ${ways.join(', or ')}.`;
  return new Mx8Error('flag_invalid', `${what} ${way} Nothing has been packed.`, {
    flag: '--shard-size',
    shard: name,
  });
}
