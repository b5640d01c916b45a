/**
 * An object in a cache is kept in blocks of one size, the last one shorter. A range is read in whole
 * blocks, so that what is kept of it can be used by ranges that begin and end elsewhere.
 */
export const CACHE_BLOCK_BYTES: number = 64 * 1024;
/** What a file takes on a disk is counted in these. */
const DISK_PAGE_BYTES = 4096;

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** How many blocks an object has. */
export function blockCount(objectBytes: number): number {
  return Math.ceil(objectBytes / CACHE_BLOCK_BYTES);
}

/** Bytes of block `index`. */
export function blockBytes(index: number, objectBytes: number): number {
  return Math.min(CACHE_BLOCK_BYTES, objectBytes - index * CACHE_BLOCK_BYTES);
}

/**
 * The range with the blocks that it touches whole. As long as nobody knows where the object ends (-1), its
 * end stays as it is: a store refuses what lies behind the last byte.
 */
export function widened({ start, end }: ByteRange, objectBytes: number): ByteRange {
  const blocksEnd = Math.ceil(end / CACHE_BLOCK_BYTES) * CACHE_BLOCK_BYTES;
  return {
    start: Math.floor(start / CACHE_BLOCK_BYTES) * CACHE_BLOCK_BYTES,
    end: objectBytes === -1 ? end : Math.max(end, Math.min(blocksEnd, objectBytes)),
  };
}

/** The blocks that lie wholly in the range: [first, end). */
export function blocksWithin({ start, end }: ByteRange, objectBytes: number): ByteRange {
  const first = Math.ceil(start / CACHE_BLOCK_BYTES);
  const isEnd = end >= objectBytes;
  const last = isEnd ? blockCount(objectBytes) : Math.floor(end / CACHE_BLOCK_BYTES);
  return { start: first, end: Math.max(first, last) };
}

/** Bytes of a disk that blocks [start, end) take. */
export function diskBytesOf(blocks: ByteRange, objectBytes: number): number {
  let bytes = 0;
  for (let index = blocks.start; index < blocks.end; index += 1) {
    bytes += Math.ceil(blockBytes(index, objectBytes) / DISK_PAGE_BYTES) * DISK_PAGE_BYTES;
  }
  return bytes;
}
