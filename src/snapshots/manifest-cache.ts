/**
 * The copies of manifests that this machine has of stores (`ObjectManifestStore`): one folder for each store below
 * one for all of them. What has to go goes file by file, in an order in which whatever is left at any time is a
 * copy that can be used, or that is fetched again: which object the stamps are of, the stamps, the columns, the index, the
 * manifest, and at last the mark of its use.
 */
import { lstat, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { DAY_MS, staleOf } from '../core/base/retention.ts';
import type { Kept, Retention } from '../core/base/retention.ts';
import { isManifestHash } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { MANIFEST_CACHE_KEEP_DAYS } from './limits.ts';
import { storeError, systemCode } from './system-error.ts';
import { sweepTemporaries } from './temporary-files.ts';
import { makeFolders } from '../storage/make-folders.ts';

/** In the order in which they go. */
const FOLDERS = ['stamps-etag', 'stamps', 'columns', 'index', 'by-hash', 'used'] as const;
const STORE_NAME = /^[0-9a-f]{16}$/;

export function manifestCacheRetention(
  capBytes: number,
  keepDays: number = MANIFEST_CACHE_KEEP_DAYS,
): Retention {
  return { restMs: DAY_MS, keepMs: keepDays * DAY_MS, capBytes };
}

export function manifestCacheRoot(): string {
  return join(homedir(), '.mx8', 'manifest-cache');
}

export interface CachedManifest extends Kept {
  /** Of its store. */
  readonly folder: string;
  readonly hash: ManifestHash;
}

/** Says that the copy is used. A cache that cannot be written to goes by when its files were made. */
export async function markUsed(folder: string, hash: string, unixMs: number): Promise<void> {
  const path = join(folder, 'used', hash);
  const seconds = unixMs / 1000;
  try {
    await utimes(path, seconds, seconds);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') return;
    await makeFolders(dirname(path))
      .then(() => writeFile(path, ''))
      .then(() => utimes(path, seconds, seconds))
      .catch(() => undefined);
  }
}

/** Below `root`; nothing else there is looked at. */
export async function cachedManifests(root: string): Promise<readonly CachedManifest[]> {
  const found: CachedManifest[] = [];
  for (const store of await namesIn(root)) {
    if (!STORE_NAME.test(store)) continue;
    const folder = join(root, store);
    const hashes = new Set<string>();
    for (const name of FOLDERS) {
      for (const hash of await namesIn(join(folder, name))) hashes.add(hash);
    }
    for (const hash of hashes) if (isManifestHash(hash)) found.push(await look(folder, hash));
  }
  return found;
}

export interface Tidied<Thing> {
  readonly removed: readonly Thing[];
  readonly kept: readonly Thing[];
}

/** `isDryRun`: only says what would go. */
export async function tidyManifestCache(
  root: string,
  retention: Retention,
  nowUnixMs: number,
  isDryRun: boolean = false,
): Promise<Tidied<CachedManifest>> {
  const all = await cachedManifests(root);
  const removed: CachedManifest[] = [];
  for (const stale of staleOf(all, retention, nowUnixMs)) {
    // Somebody may have begun to use it since it was looked at.
    const { usedUnixMs } = await look(stale.folder, stale.hash);
    if (nowUnixMs - usedUnixMs < retention.restMs) continue;
    if (!isDryRun) await remove(stale);
    removed.push(stale);
  }
  if (!isDryRun) {
    for (const folder of new Set(all.map((one) => one.folder))) {
      await sweepTemporaries(join(folder, 'tmp'));
    }
  }
  return { removed, kept: all.filter((one) => !removed.includes(one)) };
}

async function remove({ folder, hash }: CachedManifest): Promise<void> {
  for (const name of FOLDERS) {
    const path = join(folder, name, hash);
    await rm(path, { force: true }).catch((error: unknown) => {
      throw storeError('remove', path, error);
    });
  }
}

/** What it takes, and when it was used last: a copy that was just made was. */
async function look(folder: string, hash: ManifestHash): Promise<CachedManifest> {
  let [bytes, usedUnixMs] = [0, 0];
  for (const name of FOLDERS) {
    const path = join(folder, name, hash);
    try {
      const { size, mtimeMs } = await lstat(path);
      bytes += size;
      usedUnixMs = Math.max(usedUnixMs, mtimeMs);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw storeError('look at', path, error);
    }
  }
  return { folder, hash, bytes, usedUnixMs };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return [];
    throw storeError('read', folder, error);
  }
}
