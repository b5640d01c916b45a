/**
 * Manifests in a folder. `by-hash/<hash>` holds immutable bytes, `intent/<key>/current` the current hash
 * of a link's base, `locks/<key>.lock` says who resolves it now. Five more folders are this
 * implementation's own: `listing/` (see `listing-notice.ts`), `index/` (see `manifest-index.ts`), `columns/`
 * (see `columns-format.ts`), `stamps/` (see `stamps-format.ts`) and `tmp/` (files being written).
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { assert, must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { isManifestHash } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { intentKey } from '../core/manifest/dataset-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type {
  AnnouncedListing,
  CurrentSnapshot,
  ListingNotice,
  ManifestReader,
  ManifestSpool,
  ManifestStore,
  StampWriter,
} from '../ports/manifest-store.ts';
import type { Random } from '../ports/random.ts';
import { ManifestCheck, checkManifestFile } from './check-manifest.ts';
import { ColumnsFile } from './columns-file.ts';
import { ColumnsWriter } from './columns-writer.ts';
import { discard, syncFolder, writeDurably } from './durable-file.ts';
import { readRange } from './file-bytes.ts';
import { FsManifestReader } from './fs-manifest-reader.ts';
import { LOCK_WAIT_MS_MAX } from './limits.ts';
import { FileListingNotice, readNotice } from './listing-notice.ts';
import { acquireLock } from './lock-file.ts';
import type { HeldLock } from './lock-file.ts';
import { decodeIndex, encodeIndex } from './manifest-index.ts';
import type { FileState, ManifestIndex } from './manifest-index.ts';
import { thisProcess } from './process-identity.ts';
import { StampsFile } from './stamps-file.ts';
import { FsStampWriter } from './stamps-writer.ts';
import { storeError, systemCode, systemReason } from './system-error.ts';
import { sweepTemporaries, temporaryName } from './temporary-files.ts';
import { makeFolders } from '../storage/make-folders.ts';

export interface FsManifestStoreOptions {
  /** Made when it is not there. */
  readonly root: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** How long `withLock` waits for another resolver that lives. */
  readonly lockWaitMsMax?: number;
  /** Called for every read of a manifest. */
  readonly onRead?: (hash: ManifestHash) => void;
}

export class FsManifestStore implements ManifestStore {
  readonly #options: FsManifestStoreOptions;
  /** Locks that this store holds, by intent key. */
  readonly #held = new Map<string, HeldLock>();

  constructor(options: FsManifestStoreOptions) {
    this.#options = options;
  }

  async open(hash: ManifestHash): Promise<ManifestReader> {
    const path = this.#manifestPath(hash);
    const file = await openManifest(path, hash);
    try {
      const index = (await this.#savedIndex(hash, file)) ?? (await this.#checked(hash, path, file));
      const { sampleCount } = index;
      const stamps = await StampsFile.open(this.#stampsPath(hash), hash, sampleCount);
      const columns = await ColumnsFile.open(this.#columnsPath(hash), hash, sampleCount);
      const { onRead } = this.#options;
      return new FsManifestReader({ path, file, index, columns, stamps, onRead });
    } catch (error) {
      await file.close();
      throw storeError('read', path, error);
    }
  }

  async has(hash: ManifestHash): Promise<boolean> {
    try {
      return (await stat(this.#manifestPath(hash))).isFile();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw storeError('look for', this.#manifestPath(hash), error);
    }
  }

  async put(
    canonical: AsyncIterable<Uint8Array>,
    onSpool?: (spool: ManifestSpool) => void,
  ): Promise<{ hash: ManifestHash; sampleCount: number }> {
    const folder = join(this.#options.root, 'tmp');
    const temporary = join(folder, temporaryName(this.#options.random));
    try {
      await makeFolders(folder);
      await sweepTemporaries(folder);
      await using columns = this.#columnsWriter();
      const index = await writeChecked(temporary, canonical, columns, onSpool);
      const path = this.#manifestPath(index.hash);
      await makeFolders(dirname(path));
      // Over a file of that name too: it has the same bytes, or it is damaged.
      await rename(temporary, path);
      await syncFolder(dirname(path));
      await this.#saveIndex(index, await stateOf(path));
      await columns.keep(this.#columnsPath(index.hash), index.hash);
      return { hash: index.hash, sampleCount: index.sampleCount };
    } catch (error) {
      await discard(temporary);
      throw storeError('write', temporary, error);
    }
  }

  async stampWriter(): Promise<StampWriter> {
    const folder = join(this.#options.root, 'tmp');
    try {
      await makeFolders(folder);
    } catch (error) {
      throw storeError('make', folder, error);
    }
    const temporary = join(folder, temporaryName(this.#options.random));
    return new FsStampWriter(temporary, (hash) => this.#stampsPath(hash));
  }

  async current(base: string): Promise<CurrentSnapshot | null> {
    const path = this.#currentPath(base);
    let text: string;
    let sinceUnixMs: number;
    try {
      text = (await readFile(path, 'utf8')).trim();
      // It is written anew whenever the base is pinned.
      sinceUnixMs = Math.floor((await stat(path)).mtimeMs);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw storeError('read', path, error);
    }
    if (isManifestHash(text)) return { hash: text, sinceUnixMs };
    throw new Mx8Error(
      'manifest_corrupt',
      `${path} must hold the 64 hex digits of a manifest hash. Delete it and resolve the link again.`,
      { path, base },
    );
  }

  async setCurrent(base: string, hash: ManifestHash): Promise<void> {
    const lock = must(this.#held.get(keyOf(base)), `the lock of ${base} is held by this store`);
    assert(await this.has(hash), `the manifest ${hash} is in the store before it becomes current`);
    if (!(await lock.isHeld())) {
      throw new Mx8Error(
        'manifest_lock_timeout',
        `This process stood still for so long that another one took over the lock of ${base}.`,
        { base },
      );
    }
    const path = this.#currentPath(base);
    const temporary = join(this.#options.root, 'tmp', temporaryName(this.#options.random));
    try {
      await makeFolders(dirname(path));
      await makeFolders(dirname(temporary));
      await writeDurably(path, temporary, hash);
    } catch (error) {
      throw storeError('write', path, error);
    }
  }

  async withLock<T>(
    base: string,
    signal: AbortSignal | undefined,
    body: () => Promise<T>,
  ): Promise<T> {
    const { root, clock, random, lockWaitMsMax = LOCK_WAIT_MS_MAX } = this.#options;
    const key = keyOf(base);
    const path = join(root, 'locks', `${key}.lock`);
    let lock: HeldLock;
    try {
      lock = await acquireLock({ path, clock, random, waitMsMax: lockWaitMsMax, signal });
    } catch (error) {
      throw storeError('lock', path, error);
    }
    this.#held.set(key, lock);
    try {
      return await body();
    } finally {
      this.#held.delete(key);
      await lock.release();
    }
  }

  announce(base: string, spool: string, stamps: string): ListingNotice {
    const { root, clock, random } = this.#options;
    const nonce = Buffer.from(random.bytes(16)).toString('hex');
    const temporary = join(root, 'tmp', temporaryName(random));
    const holder = { ...thisProcess(), nonce };
    return new FileListingNotice(this.#noticePath(base), temporary, clock, {
      holder,
      spool,
      stamps,
    });
  }

  announced(base: string): Promise<AnnouncedListing | null> {
    return readNotice(this.#noticePath(base), join(this.#options.root, 'tmp'));
  }

  /** The index that an earlier check of this very file left; null when there is none to be trusted. */
  async #savedIndex(hash: ManifestHash, file: FileHandle): Promise<ManifestIndex | null> {
    try {
      return decodeIndex(await readFile(this.#indexPath(hash)), hash, await stateOf(file));
    } catch (error) {
      // An index that cannot be read is as good as none: the bytes are checked instead.
      if (systemCode(error) === '') throw error;
      return null;
    }
  }

  async #checked(hash: ManifestHash, path: string, file: FileHandle): Promise<ManifestIndex> {
    const before = await stateOf(file);
    await using columns = this.#columnsWriter();
    const index = await checkManifestFile(file, path, hash, columns);
    // Only a file that stood still while it was read is what the index says.
    const after = await stateOf(file);
    if (before.ctimeNs === after.ctimeNs) await this.#saveIndex(index, after);
    await columns.keep(this.#columnsPath(hash), hash);
    return index;
  }

  /** A store that cannot be written to still serves; the next opening then checks all bytes again. */
  async #saveIndex(index: ManifestIndex, state: FileState): Promise<void> {
    const { root, random, events } = this.#options;
    const path = this.#indexPath(index.hash);
    const temporary = join(root, 'tmp', temporaryName(random));
    try {
      await makeFolders(dirname(path));
      await makeFolders(dirname(temporary));
      await writeDurably(path, temporary, encodeIndex(index, state));
    } catch (error) {
      if (systemCode(error) === '') throw error;
      events.emit('warn', 'manifest_index_not_saved', { path, reason: systemReason(error) });
    }
  }

  #columnsWriter(): ColumnsWriter {
    const { root, random } = this.#options;
    return new ColumnsWriter(join(root, 'tmp', temporaryName(random)));
  }

  #manifestPath(hash: ManifestHash): string {
    return join(this.#options.root, 'by-hash', hash);
  }

  #indexPath(hash: ManifestHash): string {
    return join(this.#options.root, 'index', hash);
  }

  #columnsPath(hash: ManifestHash): string {
    return join(this.#options.root, 'columns', hash);
  }

  #stampsPath(hash: ManifestHash): string {
    return join(this.#options.root, 'stamps', hash);
  }

  #noticePath(base: string): string {
    return join(this.#options.root, 'listing', keyOf(base));
  }

  #currentPath(base: string): string {
    return join(this.#options.root, 'intent', keyOf(base), 'current');
  }
}

/** What the system says where nothing more can be written. */
const FULL_DISK: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

async function openManifest(path: string, hash: ManifestHash): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw storeError('open', path, error);
    throw new Mx8Error(
      'manifest_missing',
      `The manifest store has no manifest ${hash}; it would be ${path}.`,
      { manifest_hash: hash, path },
    );
  }
}

/** Writes the bytes to a new read-only file, durably, while checking them; `columns` get their lines. */
async function writeChecked(
  path: string,
  canonical: AsyncIterable<Uint8Array>,
  columns: ColumnsWriter,
  onSpool?: (spool: ManifestSpool) => void,
): Promise<ManifestIndex> {
  const check = new ManifestCheck('the manifest to be stored', columns);
  const file = await open(path, 'wx', 0o444);
  try {
    if (onSpool !== undefined) onSpool(await openSpool(path));
    let at = 0;
    for await (const chunk of canonical) {
      check.push(chunk);
      if (check.invalid !== null) throw check.invalid;
      try {
        await writeAt(file, chunk, at);
      } catch (error) {
        // The room that the columns have taken may be all that is missing.
        if (!FULL_DISK.has(systemCode(error)) || !(await columns.giveUp())) throw error;
        await writeAt(file, chunk, at);
      }
      at += chunk.length;
      await columns.flush();
    }
    const index = check.finish(path);
    await file.sync();
    return index;
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.length - done;
    done += (await file.write(bytes, done, rest, position + done)).bytesWritten;
  }
}

/** A descriptor of its own: it stays good when the file gets its name, or is removed. */
async function openSpool(path: string): Promise<ManifestSpool> {
  const file = await open(path, 'r');
  return {
    path,
    read: (start, end) => readRange(file, start, end),
    close: () => file.close(),
  };
}

async function stateOf(file: FileHandle | string): Promise<FileState> {
  const stats =
    typeof file === 'string'
      ? await stat(file, { bigint: true })
      : await file.stat({ bigint: true });
  const { mtimeNs, ctimeNs, ino } = stats;
  return { size: Number(stats.size), mtimeNs, ctimeNs, ino };
}

function keyOf(base: string): string {
  return intentKey(base, (text) => createHash('sha256').update(text).digest('hex'));
}
