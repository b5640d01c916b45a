/**
 * A folder with copies of what was read from stores, shared by all processes of this machine, never larger
 * than its cap. It holds nothing that is not in a store, and deletes nothing that it has not made: a
 * folder that is somebody else's is refused. Whatever goes wrong with it (a full disk, a file that is
 * damaged), reading goes on without it.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Mx8Error } from '../../core/base/errors.ts';
import { elapsedMs } from '../../core/base/units.ts';
import type { MonoMs } from '../../core/base/units.ts';
import { diskBytesOf } from '../../core/transfer/cache-blocks.ts';
import type { ByteRange } from '../../core/transfer/cache-blocks.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import type { ObjectStat } from '../../ports/place.ts';
import { cacheUnusable, claimCacheFolder } from './cache-folder.ts';
import type { ObjectFile } from './object-file.ts';
import { createObjectFile, openObjectFile, overheadBytes } from './object-file.ts';
import type { DiskCacheOptions } from './limits.ts';
import { Room } from './room.ts';
import type { MissingBytes } from './room.ts';
import { makeFolders } from '../make-folders.ts';

const ROOM_NAME = 'room.sqlite';
/** After a failure to write, reading goes on without keeping anything for so long. */
const PAUSE_MS = 30_000;
/** When an object was used last need not be known better than this. */
const USE_MS = 10_000;
const TOUCHED_MAX = 10_000;

export interface CacheSurroundings {
  readonly clock: Clock;
  readonly events: EventSink;
}

export class DiskCache {
  readonly #options: DiskCacheOptions;
  readonly #surroundings: CacheSurroundings;
  readonly #room: Room;
  /** When the use of an object was noted last. */
  readonly #touched: Map<string, MonoMs> = new Map();
  #pausedSinceMs: MonoMs | null = null;

  private constructor(options: DiskCacheOptions, room: Room, surroundings: CacheSurroundings) {
    this.#options = options;
    this.#room = room;
    this.#surroundings = surroundings;
  }

  /** `disk_cache_unusable` when the folder is no cache, or cannot be written. */
  static async open(
    options: DiskCacheOptions,
    surroundings: CacheSurroundings,
  ): Promise<DiskCache> {
    const { folder, capBytes } = options;
    try {
      claimCacheFolder(folder);
      const cache = new DiskCache(
        options,
        new Room(join(folder, ROOM_NAME), capBytes),
        surroundings,
      );
      await cache.#delete(cache.#room.doomed());
      return cache;
    } catch (error) {
      if (error instanceof Mx8Error) throw error;
      throw cacheUnusable(folder, `it cannot be used (${textOf(error)})`, error);
    }
  }

  /** Bytes of the disk that it takes, of all processes. */
  get bytes(): number {
    return this.#room.bytes;
  }

  /** Fills the views with the blocks' bytes; null when not all of them are there. */
  async read(
    name: string,
    blocksOf: (object: ObjectStat) => ByteRange,
    viewsOf: (object: ObjectStat) => readonly Uint8Array[],
  ): Promise<ObjectStat | null> {
    try {
      const file = await this.#open(name);
      if (file === null) return null;
      try {
        const { object } = file;
        if (!(await file.read(blocksOf(object), viewsOf(object)))) return null;
        this.#noteUse(name);
        return object;
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#failed('read', error);
      return null;
    }
  }

  /** Bytes of the object as they were when it was kept; -1 when none of it is. */
  async sizeOf(name: string): Promise<number> {
    try {
      const file = await this.#open(name);
      if (file === null) return -1;
      await file.close();
      return file.object.bytes;
    } catch (error) {
      this.#failed('read', error);
      return -1;
    }
  }

  /** Keeps blocks whose bytes are in the views, as far as there is room. */
  async keep(
    name: string,
    object: ObjectStat,
    blocks: ByteRange,
    views: readonly Uint8Array[],
  ): Promise<void> {
    if (blocks.start === blocks.end || this.#isPaused) return;
    try {
      const missing = await this.#missingBytes(name, object, blocks);
      const taken = this.#room.take(name, missing, this.#surroundings.clock.unixMs());
      if (taken === null) return;
      await this.#delete(taken.victims);
      await this.#write(taken.file, object, blocks, views);
      // Others may have taken the room meanwhile, and have deleted the file before it was there.
      if (this.#room.fileOf(name) !== taken.file) await this.#delete([taken.file]);
    } catch (error) {
      this.#failed('write', error);
    }
  }

  close(): void {
    this.#room.close();
  }

  get #isPaused(): boolean {
    if (this.#pausedSinceMs === null) return false;
    if (elapsedMs(this.#pausedSinceMs, this.#surroundings.clock.nowMs()) < PAUSE_MS) return true;
    this.#pausedSinceMs = null;
    return false;
  }

  async #write(
    fileName: string,
    object: ObjectStat,
    blocks: ByteRange,
    views: readonly Uint8Array[],
  ): Promise<void> {
    const path = this.#pathOf(fileName);
    await makeFolders(join(path, '..'));
    const file = await createObjectFile(path, object);
    try {
      await file.write(blocks, views);
    } finally {
      await file.close();
    }
  }

  /** The file of an object that has room and is there. */
  #open(name: string): Promise<ObjectFile | null> {
    const fileName = this.#room.fileOf(name);
    return fileName === null ? Promise.resolve(null) : openObjectFile(this.#pathOf(fileName));
  }

  /** What keeping the blocks takes of the disk. */
  async #missingBytes(name: string, object: ObjectStat, blocks: ByteRange): Promise<MissingBytes> {
    const wholeBytes = overheadBytes(object.bytes) + diskBytesOf(blocks, object.bytes);
    const fileName = this.#room.fileOf(name);
    const file = fileName === null ? null : await openObjectFile(this.#pathOf(fileName));
    if (file === null) return { file: fileName, bytes: wholeBytes, wholeBytes };
    try {
      const missing = await file.missing(blocks);
      const bytes = missing.reduce(
        (sum, index) => sum + diskBytesOf({ start: index, end: index + 1 }, object.bytes),
        0,
      );
      return { file: fileName, bytes, wholeBytes };
    } finally {
      await file.close();
    }
  }

  #noteUse(name: string): void {
    const { clock } = this.#surroundings;
    const last = this.#touched.get(name);
    if (last !== undefined && elapsedMs(last, clock.nowMs()) < USE_MS) return;
    if (this.#touched.size >= TOUCHED_MAX) this.#touched.clear();
    this.#touched.set(name, clock.nowMs());
    this.#room.used(name, clock.unixMs());
  }

  #failed(what: 'read' | 'write', error: unknown): void {
    const isNew = !this.#isPaused;
    this.#pausedSinceMs ??= this.#surroundings.clock.nowMs();
    if (!isNew) return;
    const { folder } = this.#options;
    const fields = { folder, during: what, message: textOf(error), pause_ms: PAUSE_MS };
    this.#surroundings.events.emit('warn', 'disk_cache_paused', fields);
  }

  #pathOf(fileName: string): string {
    return join(this.#options.folder, 'objects', fileName.slice(0, 2), fileName);
  }

  async #delete(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(this.#pathOf(file), { force: true });
    this.#room.deleted(files);
  }
}

/** What an object of these bytes is called in a cache. */
export function cacheName(location: string, tag: number): string {
  return createHash('sha256').update(`${location}\0${tag}`).digest('hex');
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
