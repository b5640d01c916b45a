/**
 * Every file below a folder, in a fixed order, one folder's names in memory at a time (and those of the
 * folders above it). Symbolic links to files and folders are followed; one that leads back to a folder
 * on the way is not, as everything behind it is found anyway. What cannot be read is an error with its
 * path: a data set with silent holes is worse than none.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import type { Dirent } from 'node:fs';

import { Mx8Error } from '../core/base/errors.ts';
import { compareUtf8 } from '../core/manifest/byte-order.ts';
import { systemCode, systemReason } from './system-error.ts';

export interface FoundFile {
  /** Path below the root, with `/`. */
  readonly path: string;
  /** Canonical absolute path. */
  readonly realPath: string;
}

/**
 * `components`: name by name, so `a/b` comes before `a-b`. `bytes`: by the bytes of the whole path, so
 * `a-b` comes before `a/b`.
 */
export type WalkOrder = 'components' | 'bytes';

export interface WalkOptions {
  readonly root: string;
  readonly order: WalkOrder;
  /** Entries of these names are left out, at every depth. */
  readonly skippedNames: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

/** What was passed over, for the summary. */
export interface WalkTally {
  skippedEntries: number;
  /** Sockets, pipes and devices. */
  specialFiles: number;
  linkLoops: number;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly realPath: string;
}

/** Files handed on at once. */
const BATCH_FILES = 4096;
/** What Node's decoder puts where a name is not UTF-8. */
const REPLACEMENT = '\ufffd';

export async function* walkFolder(
  options: WalkOptions,
  tally: WalkTally,
): AsyncGenerator<readonly FoundFile[]> {
  const root = await orUnreadable(options.root, realpath(options.root));
  yield* walk(options, tally, '', [root]);
}

/** `above` are the canonical paths of the folders from the root to this one. */
async function* walk(
  options: WalkOptions,
  tally: WalkTally,
  prefix: string,
  above: readonly string[],
): AsyncGenerator<readonly FoundFile[]> {
  options.signal?.throwIfAborted();
  let batch: FoundFile[] = [];
  for (const entry of await listFolder(options, tally, above)) {
    const path = `${prefix}${entry.name}`;
    if (!entry.isFolder) {
      batch.push({ path, realPath: entry.realPath });
      if (batch.length < BATCH_FILES) continue;
    }
    if (batch.length > 0) yield batch;
    batch = [];
    if (entry.isFolder) yield* walk(options, tally, `${path}/`, [...above, entry.realPath]);
  }
  if (batch.length > 0) yield batch;
}

/** The files and folders in the last of `above`, in order. */
async function listFolder(
  options: WalkOptions,
  tally: WalkTally,
  above: readonly string[],
): Promise<readonly Entry[]> {
  const folder = above.at(-1) ?? '';
  const dirents = await orUnreadable(folder, readdir(folder, { withFileTypes: true }));
  const parent = folder === '/' ? '' : folder;
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    const { name } = dirent;
    const realPath = `${parent}/${name}`;
    if (name.includes(REPLACEMENT)) await checkName(realPath);
    if (options.skippedNames.has(name)) tally.skippedEntries += 1;
    else if (dirent.isFile()) entries.push({ name, isFolder: false, realPath });
    else {
      const entry = await lookCloser(dirent, realPath, above, tally);
      if (entry !== null) entries.push(entry);
    }
  }
  return sorted(entries, options.order);
}

/** An entry that is no plain file: a folder, a link to one or to a file, or nothing for us. */
async function lookCloser(
  dirent: Dirent,
  path: string,
  above: readonly string[],
  tally: WalkTally,
): Promise<Entry | null> {
  const { name } = dirent;
  if (dirent.isDirectory()) return { name, isFolder: true, realPath: path };
  if (!dirent.isSymbolicLink()) {
    tally.specialFiles += 1;
    return null;
  }
  const target = await orUnreadable(path, realpath(path));
  const stats = await orUnreadable(path, stat(target));
  if (stats.isFile()) return { name, isFolder: false, realPath: target };
  if (!stats.isDirectory()) {
    tally.specialFiles += 1;
    return null;
  }
  if (above.some((folder) => contains(target, folder))) {
    tally.linkLoops += 1;
    return null;
  }
  return { name, isFolder: true, realPath: target };
}

/** True when `folder` is `outer` or lies below it. */
export function contains(outer: string, folder: string): boolean {
  return folder === outer || folder.startsWith(outer === '/' ? '/' : `${outer}/`);
}

function sorted(entries: Entry[], order: WalkOrder): readonly Entry[] {
  // A folder's paths go on with `/`, so that is what its name competes with in the order of bytes.
  const key = (entry: Entry): string =>
    order === 'bytes' && entry.isFolder ? `${entry.name}/` : entry.name;
  return entries.sort((a, b) => compareUtf8(key(a), key(b)));
}

/** A name with U+FFFD in it is either that character or bytes that are not UTF-8. */
async function checkName(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(path, error);
    throw new Mx8Error(
      'sample_unreadable',
      `The name of ${path} is not UTF-8 (the bytes that are not are shown as ${REPLACEMENT}). Rename it.`,
      { location: path },
    );
  }
}

async function orUnreadable<T>(path: string, pending: Promise<T>): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Mx8Error {
  return new Mx8Error(
    'sample_unreadable',
    `Cannot read ${path}: ${systemReason(error)}. Every entry of a data set must be readable.`,
    { location: path, system_code: systemCode(error) },
    error,
  );
}
