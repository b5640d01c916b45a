/**
 * A place whose reads are answered from a disk cache where they can be. Only objects of which somebody took
 * down which bytes they are (their ETag, with the manifest) are kept: of others nobody could say
 * whether the copy is still right.
 */
import { blocksWithin, CACHE_BLOCK_BYTES, widened } from '../../core/transfer/cache-blocks.ts';
import type { ByteRange } from '../../core/transfer/cache-blocks.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectRange,
  ObjectStat,
  ObjectUpload,
  Place,
  WriteCondition,
} from '../../ports/place.ts';
import { cacheName } from './disk-cache.ts';
import type { DiskCache } from './disk-cache.ts';

export class CachedPlace implements Place {
  readonly #place: Place;
  readonly #openCache: () => Promise<DiskCache>;

  /** The place and the cache stay their owner's. */
  constructor(place: Place, openCache: () => Promise<DiskCache>) {
    this.#place = place;
    this.#openCache = openCache;
  }

  async readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    if (range.pinnedTag === 0 || range.end <= range.start)
      return this.#place.readRange(location, range, signal);
    const cache = await this.#openCache();
    const name = cacheName(location, range.pinnedTag);
    const found = await cache.read(
      name,
      ({ bytes }) => blocksWithin(widened(range, bytes), bytes),
      ({ bytes }) => intoMemory(range, widened(range, bytes)),
    );
    signal?.throwIfAborted();
    if (found !== null) return found;
    const size = range.pinnedBytes === -1 ? await cache.sizeOf(name) : range.pinnedBytes;
    const whole = widened(range, size);
    const views = intoMemory(range, whole);
    const targets = views.map((into) => ({ bytes: into.length, into }));
    const object = await this.#place.readRange(location, { ...range, ...whole, targets }, signal);
    const blocks = blocksWithin(whole, object.bytes);
    // What is not a whole block at the end is not kept.
    await cache.keep(name, object, blocks, viewsOfBlocks(views, blocks, whole, object.bytes));
    return object;
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<readonly ListedObject[]> {
    return this.#place.list(prefix, options);
  }

  pin(location: string, signal?: AbortSignal): Promise<string> {
    return this.#place.pin?.(location, signal) ?? Promise.resolve(location);
  }

  stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#place.stat(location, signal);
  }

  write(location: string, bytes: Uint8Array, condition: WriteCondition): Promise<ObjectStat> {
    return this.#place.write(location, bytes, condition);
  }

  upload(location: string): Promise<ObjectUpload> {
    return this.#place.upload(location);
  }

  remove(location: string): Promise<void> {
    return this.#place.remove(location);
  }

  close(): Promise<void> {
    return this.#place.close();
  }
}

/** Memory for all of `whole`: that of the range, and some for what is around and in between. */
function intoMemory(range: ObjectRange, whole: ByteRange): Uint8Array[] {
  const views: Uint8Array[] = [];
  if (whole.start < range.start) views.push(new Uint8Array(range.start - whole.start));
  for (const { bytes, into } of range.targets) {
    if (bytes > 0) views.push(into ?? new Uint8Array(bytes));
  }
  if (range.end < whole.end) views.push(new Uint8Array(whole.end - range.end));
  return views;
}

/** The views without what lies behind the last whole block. */
function viewsOfBlocks(
  views: readonly Uint8Array[],
  blocks: ByteRange,
  whole: ByteRange,
  objectBytes: number,
): readonly Uint8Array[] {
  let left = blockEnd(blocks, objectBytes) - whole.start;
  const parts: Uint8Array[] = [];
  for (const view of views) {
    if (left <= 0) break;
    parts.push(view.subarray(0, left));
    left -= view.length;
  }
  return parts;
}

function blockEnd({ end }: ByteRange, objectBytes: number): number {
  return Math.min(end * CACHE_BLOCK_BYTES, objectBytes);
}
