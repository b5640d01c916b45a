/**
 * Which ranges to ask a store for, so that samples which are neighbours in one object travel together and
 * large ones in parallel. Pure: places of the samples in, ranges with their pieces out.
 */

/** A longer range only delays what waits behind it; at this size the cost of a request is long hidden. */
export const RANGE_BYTES_MAX: number = 8 * 1024 ** 2;
/**
 * A gap is fetched and thrown away where that is cheaper than another request: a tenth of the shortest
 * round trip to a store in the region, at the rate of one connection.
 */
export const RANGE_GAP_BYTES_MAX: number = 64 * 1024;

/** A sample: bytes [start, start + bytes) of object `object` go to slab byte `at`. */
export interface WantedSample {
  /** Which sample, for whoever is told that it failed. */
  readonly index: number;
  /** Samples of one object have the same number. */
  readonly object: number;
  readonly start: number;
  readonly bytes: number;
  readonly at: number;
}

/** Bytes of a range in order: into the slab at `at`, or nowhere (-1). */
export interface RangePiece {
  readonly bytes: number;
  readonly at: number;
}

export interface PlannedRange {
  readonly object: number;
  readonly start: number;
  readonly end: number;
  readonly pieces: readonly RangePiece[];
  /** The samples that it holds, in part at least. */
  readonly samples: readonly number[];
}

interface Growing {
  readonly object: number;
  readonly start: number;
  end: number;
  readonly pieces: { bytes: number; readonly at: number }[];
  readonly samples: number[];
}

/** Ranges in the order of the samples. */
export function planRanges(samples: Iterable<WantedSample>): readonly PlannedRange[] {
  const ranges: Growing[] = [];
  let open: Growing | null = null;
  for (const sample of samples) {
    if (open === null || !joins(open, sample)) {
      open = null;
      for (const part of partsOf(sample)) {
        open = part;
        ranges.push(part);
      }
      continue;
    }
    const gap = sample.start - open.end;
    if (gap > 0) append(open, gap, -1);
    append(open, sample.bytes, sample.at);
    open.samples.push(sample.index);
  }
  return ranges;
}

function joins(range: Growing, sample: WantedSample): boolean {
  if (range.object !== sample.object) return false;
  const gap = sample.start - range.end;
  if (gap < 0 || gap > RANGE_GAP_BYTES_MAX) return false;
  return sample.start + sample.bytes - range.start <= RANGE_BYTES_MAX;
}

/** A sample by itself; a large one in parts of about the same size. */
function partsOf({ index, object, start, bytes, at }: WantedSample): readonly Growing[] {
  const count = Math.max(1, Math.ceil(bytes / RANGE_BYTES_MAX));
  const partBytes = Math.ceil(bytes / count);
  return Array.from({ length: count }, (_, part) => {
    const from = part * partBytes;
    const length = Math.min(partBytes, bytes - from);
    return {
      object,
      start: start + from,
      end: start + from + length,
      pieces: [{ bytes: length, at: at + from }],
      samples: [index],
    };
  });
}

function append(range: Growing, bytes: number, at: number): void {
  const last = range.pieces.at(-1);
  const isContinued =
    last !== undefined && at !== -1 && last.at !== -1 && last.at + last.bytes === at;
  if (isContinued) last.bytes += bytes;
  else range.pieces.push({ bytes, at });
  range.end += bytes;
}
