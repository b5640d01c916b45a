/**
 * The file of one cached object: a page with what the object is, a number pair for each block (its CRC-32 and its
 * length, 0 as long as it is not there), and the bytes, each block where it is in the object. The file has holes
 * where nothing was read yet.
 *
 * Nothing is synced: whatever a crash leaves of a block does not fit its sum, and the block counts as missing. So
 * several processes may write the same block at a time, as all write the same bytes.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import { blockBytes, blockCount, CACHE_BLOCK_BYTES } from '../../core/transfer/cache-blocks.ts';
import type { ByteRange } from '../../core/transfer/cache-blocks.ts';
import type { ObjectStat } from '../../ports/place.ts';

const MARK = 'mx8blk01';
const PAGE_BYTES = 4096;
const ETAG_AT = 18;
const SUM_BYTES = 8;

/** What comes before the bytes of an object. */
export function overheadBytes(objectBytes: number): number {
  const sumsBytes = blockCount(objectBytes) * SUM_BYTES;
  return PAGE_BYTES + Math.ceil(sumsBytes / PAGE_BYTES) * PAGE_BYTES;
}

/** null when there is none, or when it is not of this version. */
export async function openObjectFile(path: string): Promise<ObjectFile | null> {
  const file = await opened(path, constants.O_RDWR);
  if (file === null) return null;
  const stat = await readHead(file).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  if (stat !== null) return new ObjectFile(file, stat);
  await file.close();
  return null;
}

/** The file, made when it is not there; what is no file of this version is begun anew. */
export async function createObjectFile(path: string, object: ObjectStat): Promise<ObjectFile> {
  const there = await openObjectFile(path);
  if (there !== null && there.object.bytes === object.bytes) return there;
  await there?.close();
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    const head = Buffer.alloc(PAGE_BYTES);
    head.write(MARK, 0, 'latin1');
    head.writeDoubleLE(object.bytes, 8);
    const etag = Buffer.from(object.etag).subarray(0, PAGE_BYTES - ETAG_AT);
    head.writeUInt16LE(etag.length, 16);
    etag.copy(head, ETAG_AT);
    if (there !== null) await file.truncate(0);
    await file.write(head, 0, head.length, 0);
    return new ObjectFile(file, object);
  } catch (error) {
    await file.close();
    throw error;
  }
}

export class ObjectFile {
  readonly object: ObjectStat;
  readonly #file: FileHandle;

  constructor(file: FileHandle, object: ObjectStat) {
    this.#file = file;
    this.object = object;
  }

  /** Fills the views with the bytes of the blocks; false when one is missing or is not what was written. */
  async read(blocks: ByteRange, views: readonly Uint8Array[]): Promise<boolean> {
    const sums = await this.#sums(blocks);
    for (let index = blocks.start; index < blocks.end; index += 1) {
      const at = (index - blocks.start) * SUM_BYTES;
      if (sums.readUInt32LE(at + 4) !== blockBytes(index, this.object.bytes)) return false;
    }
    const wanted = views.reduce((sum, view) => sum + view.length, 0);
    const { bytesRead } = await this.#file.readv(views, this.#positionOf(blocks.start));
    if (bytesRead !== wanted) return false;
    return sumsOf(blocks, this.object.bytes, views).equals(sums);
  }

  /** The views hold the bytes of the blocks. */
  async write(blocks: ByteRange, views: readonly Uint8Array[]): Promise<void> {
    await this.#file.writev(views, this.#positionOf(blocks.start));
    const sums = sumsOf(blocks, this.object.bytes, views);
    await this.#file.write(sums, 0, sums.length, PAGE_BYTES + blocks.start * SUM_BYTES);
  }

  /** The blocks that were never written. */
  async missing(blocks: ByteRange): Promise<readonly number[]> {
    const sums = await this.#sums(blocks);
    const missing: number[] = [];
    for (let index = blocks.start; index < blocks.end; index += 1) {
      const at = (index - blocks.start) * SUM_BYTES;
      if (sums.readUInt32LE(at + 4) === 0) missing.push(index);
    }
    return missing;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #sums({ start, end }: ByteRange): Promise<Buffer> {
    const sums = Buffer.alloc((end - start) * SUM_BYTES);
    // What lies behind the file's end is as good as a hole.
    await this.#file.read(sums, 0, sums.length, PAGE_BYTES + start * SUM_BYTES);
    return sums;
  }

  #positionOf(block: number): number {
    return overheadBytes(this.object.bytes) + block * CACHE_BLOCK_BYTES;
  }
}

async function opened(path: string, flags: number): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function readHead(file: FileHandle): Promise<ObjectStat | null> {
  const head = Buffer.alloc(PAGE_BYTES);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  if (bytesRead < head.length || head.toString('latin1', 0, MARK.length) !== MARK) return null;
  const etagEnd = ETAG_AT + head.readUInt16LE(16);
  return { bytes: head.readDoubleLE(8), etag: head.toString('utf8', ETAG_AT, etagEnd) };
}

/** CRC-32 and length of each block, whose bytes lie in the views one after the other. */
function sumsOf(blocks: ByteRange, objectBytes: number, views: readonly Uint8Array[]): Buffer {
  const sums = Buffer.alloc((blocks.end - blocks.start) * SUM_BYTES);
  let index = blocks.start;
  let missing = blockBytes(index, objectBytes);
  let sum = 0;
  for (const view of views) {
    for (let at = 0; at < view.length;) {
      const part = view.subarray(at, at + missing);
      sum = crc32(part, sum);
      at += part.length;
      missing -= part.length;
      if (missing > 0) continue;
      const to = (index - blocks.start) * SUM_BYTES;
      sums.writeUInt32LE(sum, to);
      sums.writeUInt32LE(blockBytes(index, objectBytes), to + 4);
      index += 1;
      sum = 0;
      missing = index < blocks.end ? blockBytes(index, objectBytes) : 0;
    }
  }
  return sums;
}
