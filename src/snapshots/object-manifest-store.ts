/**
 * Manifests below a prefix of a store of objects, shared by all machines: `by-hash/<hash>`, `intent/<key>/current`,
 * `locks/<key>.lock`, and this implementation's own `stamps/<hash>`, as in a folder (`fs-manifest-store.ts`).
 * What is read is copied whole into a folder of this machine first, checked against its hash there, and read
 * there from then on: it never changes. Which manifest is current is asked for each time, and set on condition that
 * nobody else has set it since the lock was taken.
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { assert, must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, isManifestHash } from '../core/base/units.ts';
import type { ManifestHash, MonoMs } from '../core/base/units.ts';
import { intentKey } from '../core/manifest/dataset-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type {
  AnnouncedListing,
  CurrentSnapshot,
  FileStamp,
  ListingNotice,
  ManifestReader,
  ManifestSpool,
  ManifestStore,
  StampWriter,
} from '../ports/manifest-store.ts';
import type { ObjectPlace, WriteCondition } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { ObjectWriter } from '../storage/object-writer.ts';
import { corruptManifest } from './check-manifest.ts';
import { discard, writeDurably } from './durable-file.ts';
import { readChunks } from './file-bytes.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { IO_CHUNK_BYTES, LOCK_WAIT_MS_MAX } from './limits.ts';
import type { HeldLock } from './lock-file.ts';
import { markUsed } from './manifest-cache.ts';
import { objectBytes, readWhole } from './object-bytes.ts';
import { acquireObjectLock } from './object-lock.ts';
import { storeError, systemCode } from './system-error.ts';
import { temporaryName } from './temporary-files.ts';
import { makeFolders } from '../storage/make-folders.ts';

export interface ObjectManifestStoreOptions {
  /** `s3://BUCKET/PREFIX`, without a slash at the end. */
  readonly location: string;
  readonly place: ObjectPlace;
  /** Folder of this machine for what was read; of this store alone. */
  readonly cache: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** How long `withLock` waits for another resolver that lives. */
  readonly lockWaitMsMax?: number;
  /** Called when the cache has grown. Rejections are told of and change nothing. */
  readonly tidy?: () => Promise<void>;
}

/** A copy that is removed while it is opened is fetched again; by whom it would be time and again is no tidying. */
const OPEN_TRIES = 3;
/** Who reads for long says so now and then. */
const MARK_INTERVAL_MS = 600_000;

interface Held {
  readonly lock: HeldLock;
  /** ETag of the base's `current` as this holder knows it; null: there is none. */
  currentEtag: string | null;
}

export class ObjectManifestStore implements ManifestStore {
  readonly #options: ObjectManifestStoreOptions;
  readonly #place: ObjectPlace;
  readonly #cache: FsManifestStore;
  /** Locks that this store holds, by intent key. */
  readonly #held = new Map<string, Held>();
  /** When the use of a copy was noted last. */
  readonly #marked = new Map<ManifestHash, MonoMs>();

  constructor(options: ObjectManifestStoreOptions) {
    const { cache: root, clock, random, events } = options;
    this.#options = options;
    this.#place = options.place;
    const onRead = (hash: ManifestHash): void => void this.#mark(hash);
    this.#cache = new FsManifestStore({ root, clock, random, events, onRead });
  }

  async open(hash: ManifestHash): Promise<ManifestReader> {
    for (let tries = 1; ; tries += 1) {
      this.#marked.delete(hash);
      await this.#mark(hash);
      const isNew = !(await this.#cache.has(hash));
      if (isNew) await this.#fetch(hash);
      const hasStamps = await this.#fetchStamps(hash);
      const reader = await this.#openCopy(hash, hasStamps);
      if (reader === null && tries < OPEN_TRIES) continue;
      if (isNew) await this.#tidy();
      return reader ?? this.#cache.open(hash);
    }
  }

  /** Null: another process has removed it, or a part of it, since it was found. */
  async #openCopy(hash: ManifestHash, hasStamps: boolean): Promise<ManifestReader | null> {
    let reader: ManifestReader;
    try {
      reader = await this.#cache.open(hash);
    } catch (error) {
      if (error instanceof Mx8Error && error.code === 'manifest_missing') return null;
      throw error;
    }
    // Without them nothing would be compared with what was pinned.
    if (!hasStamps || (await reader.stamps(0, 0)) !== null) return reader;
    await reader.close();
    await rm(this.#noteOf(hash), { force: true });
    return null;
  }

  async #mark(hash: ManifestHash): Promise<void> {
    const { cache, clock } = this.#options;
    const nowMs = clock.nowMs();
    const markedMs = this.#marked.get(hash);
    if (markedMs !== undefined && elapsedMs(markedMs, nowMs) < MARK_INTERVAL_MS) return;
    this.#marked.set(hash, nowMs);
    await markUsed(cache, hash, clock.unixMs());
  }

  async #tidy(): Promise<void> {
    const { tidy, events, cache } = this.#options;
    await tidy?.().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      events.emit('warn', 'manifest_cache_not_tidied', { path: cache, reason });
    });
  }

  async has(hash: ManifestHash): Promise<boolean> {
    return (await this.#place.markOf(this.#at('by-hash', hash))) !== null;
  }

  async put(
    canonical: AsyncIterable<Uint8Array>,
    onSpool?: (spool: ManifestSpool) => void,
  ): Promise<{ hash: ManifestHash; sampleCount: number }> {
    // Here first: what is no manifest, or is cut off, never gets into the store.
    const stored = await this.#cache.put(canonical, onSpool);
    const file = join(this.#options.cache, 'by-hash', stored.hash);
    // Over an object of that name too: it has the same bytes, or it is damaged.
    await this.#upload(file, this.#at('by-hash', stored.hash));
    await this.#mark(stored.hash);
    await this.#tidy();
    return stored;
  }

  async stampWriter(): Promise<StampWriter> {
    const local = await this.#cache.stampWriter();
    let known = 0;
    return {
      path: local.path,
      add: (stamp: FileStamp | null): void => {
        if (stamp !== null) known += 1;
        local.add(stamp);
      },
      read: (start, end) => local.read(start, end),
      keep: async (hash) => {
        await local.keep(hash);
        if (known === 0) return;
        const etag = await this.#upload(this.#stampsFile(hash), this.#at('stamps', hash));
        await this.#noteStamps(hash, etag);
      },
      [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
    };
  }

  async current(base: string): Promise<CurrentSnapshot | null> {
    const found = await this.#readCurrent(base);
    // A store does not say since when in a way that all of them agree on.
    return found === null ? null : { hash: found.hash, sinceUnixMs: null };
  }

  async setCurrent(base: string, hash: ManifestHash): Promise<void> {
    const held = must(this.#held.get(keyOf(base)), `the lock of ${base} is held by this store`);
    assert(await this.has(hash), `the manifest ${hash} is in the store before it becomes current`);
    if (!(await held.lock.isHeld())) throw takenOver(base);
    const condition: WriteCondition =
      held.currentEtag === null ? { type: 'create' } : { type: 'replace', etag: held.currentEtag };
    try {
      const { etag } = await this.#place.write(this.#currentAt(base), Buffer.from(hash), condition);
      held.currentEtag = etag;
    } catch (error) {
      const { code = null } = error instanceof Mx8Error ? error : {};
      throw code === 'object_exists' || code === 'object_changed' ? takenOver(base) : error;
    }
  }

  async withLock<T>(
    base: string,
    signal: AbortSignal | undefined,
    body: () => Promise<T>,
  ): Promise<T> {
    const { clock, random, lockWaitMsMax = LOCK_WAIT_MS_MAX } = this.#options;
    const key = keyOf(base);
    const lock = await acquireObjectLock({
      place: this.#place,
      location: this.#at('locks', `${key}.lock`),
      clock,
      random,
      waitMsMax: lockWaitMsMax,
      signal,
    });
    try {
      const currentEtag = (await this.#readCurrent(base))?.etag ?? null;
      this.#held.set(key, { lock, currentEtag });
      return await body();
    } finally {
      this.#held.delete(key);
      await lock.release();
    }
  }

  /** Processes of this machine share the folder that a listing goes into first. */
  announce(base: string, spoolPath: string, stampsPath: string): ListingNotice {
    return this.#cache.announce(base, spoolPath, stampsPath);
  }

  announced(base: string): Promise<AnnouncedListing | null> {
    return this.#cache.announced(base);
  }

  async #readCurrent(
    base: string,
  ): Promise<{ readonly hash: ManifestHash; readonly etag: string } | null> {
    const location = this.#currentAt(base);
    for (;;) {
      const found = await readWhole(this.#place, location);
      if (found === null) return null;
      if (found === 'moving') continue;
      const text = Buffer.from(found.bytes).toString().trim();
      if (isManifestHash(text)) return { hash: text, etag: found.stat.etag };
      throw new Mx8Error(
        'manifest_corrupt',
        `${location} must hold the 64 hex digits of a manifest hash. Delete it and resolve the link again.`,
        { path: location, base },
      );
    }
  }

  /** Copies the manifest here. What hashes to another name is refused, and not kept under this one. */
  async #fetch(hash: ManifestHash): Promise<void> {
    const location = this.#at('by-hash', hash);
    try {
      const stored = await this.#cache.put(objectBytes(this.#place, location, undefined));
      if (stored.hash !== hash) throw corruptManifest(location, hash, stored.hash);
    } catch (error) {
      throw await this.#fetchError(hash, location, error);
    }
  }

  /** Bytes that are no manifest at all are no manifest of this hash either. */
  async #fetchError(hash: ManifestHash, location: string, error: unknown): Promise<unknown> {
    if (!(error instanceof Mx8Error)) return error;
    if (error.code === 'object_missing') {
      return new Mx8Error(
        'manifest_missing',
        `The manifest store has no manifest ${hash}; it would be ${location}.`,
        { manifest_hash: hash, path: location },
        error,
      );
    }
    if (error.code !== 'manifest_invalid') return error;
    const actual = createHash('sha256');
    for await (const chunk of objectBytes(this.#place, location, undefined)) actual.update(chunk);
    return corruptManifest(location, hash, actual.digest('hex'));
  }

  /** The stamps of the latest pinning, by whichever machine; false where there are none. */
  async #fetchStamps(hash: ManifestHash): Promise<boolean> {
    const location = this.#at('stamps', hash);
    const file = this.#stampsFile(hash);
    try {
      const { etag } = await this.#place.stat(location);
      if (etag !== '' && etag === (await this.#notedStamps(hash))) return true;
      await this.#download(location, file);
      await this.#noteStamps(hash, etag);
      return true;
    } catch (error) {
      const isMissing = error instanceof Mx8Error && error.code === 'object_missing';
      if (!isMissing) throw error;
      await rm(file, { force: true });
      return false;
    }
  }

  async #download(location: string, path: string): Promise<void> {
    const temporary = this.#temporary();
    try {
      await makeFolders(dirname(temporary));
      await makeFolders(dirname(path));
      const file = await open(temporary, 'wx', 0o444);
      try {
        for await (const chunk of objectBytes(this.#place, location, undefined)) {
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await discard(temporary);
      throw storeError('write', path, error);
    }
  }

  /** The ETag that the object has. */
  async #upload(path: string, location: string): Promise<string> {
    const file = await open(path).catch((error: unknown) => {
      throw storeError('read', path, error);
    });
    const writer = new ObjectWriter(this.#place, location);
    try {
      for await (const chunk of readChunks(file, IO_CHUNK_BYTES)) await writer.append(chunk);
      return (await writer.finish({ type: 'any' }, true))?.etag ?? '';
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      await file.close();
    }
  }

  async #notedStamps(hash: ManifestHash): Promise<string> {
    try {
      return await readFile(this.#noteOf(hash), 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return '';
      throw storeError('read', this.#noteOf(hash), error);
    }
  }

  async #noteStamps(hash: ManifestHash, etag: string): Promise<void> {
    const [path, temporary] = [this.#noteOf(hash), this.#temporary()];
    try {
      await makeFolders(dirname(path));
      await makeFolders(dirname(temporary));
      await writeDurably(path, temporary, etag);
    } catch (error) {
      throw storeError('write', path, error);
    }
  }

  #stampsFile(hash: ManifestHash): string {
    return join(this.#options.cache, 'stamps', hash);
  }

  /** Which object the stamps that lie here were copied from. */
  #noteOf(hash: ManifestHash): string {
    return join(this.#options.cache, 'stamps-etag', hash);
  }

  #temporary(): string {
    return join(this.#options.cache, 'tmp', temporaryName(this.#options.random));
  }

  #currentAt(base: string): string {
    return this.#at('intent', `${keyOf(base)}/current`);
  }

  #at(folder: string, name: string): string {
    return `${this.#options.location}/${folder}/${name}`;
  }
}

function takenOver(base: string): Mx8Error {
  return new Mx8Error(
    'manifest_lock_timeout',
    `This process stood still for so long that another one took over the lock of ${base}.`,
    { base },
  );
}

function keyOf(base: string): string {
  return intentKey(base, (text) => createHash('sha256').update(text).digest('hex'));
}
