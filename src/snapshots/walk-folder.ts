/**
 * Every file below a folder, in a fixed order, one folder's names in memory at a time (and those of the
 * folders above it). Symbolic links to files and folders are followed; one that leads back to a folder
 * on the way is not, as everything behind it is found anyway. What cannot be read is an error with its
 * path: a data set with silent holes is worse than none.
 *
 * Folders are read synchronously, with a turn of the event loop now and then. A trip through Node's
 * thread pool costs four times as much as reading a small folder, and far more on a busy machine.
 */
import { readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { compareUtf8 } from '../core/manifest/byte-order.ts';
import { contains } from '../storage/real-path.ts';
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
  /** Sockets, pipes and devices; of stores, the objects that consoles make for a folder. */
  specialFiles: number;
  linkLoops: number;
  /** Of a folder: what is no file, by kind. */
  readonly noFiles: Map<NoFileKind, number>;
  /** The path of the first of them. */
  firstNoFile: string | null;
}

const NO_FILE_KINDS = ['pipe', 'socket', 'device'] as const;
export type NoFileKind = (typeof NO_FILE_KINDS)[number];

export function emptyTally(): WalkTally {
  const noFiles = new Map<NoFileKind, number>();
  return { skippedEntries: 0, specialFiles: 0, linkLoops: 0, noFiles, firstNoFile: null };
}

/** What a person is told of what was left out; null when nothing was. */
export type LeftOut = Readonly<Record<string, string | number>>;

export function leftOutOf({ noFiles, firstNoFile }: WalkTally): LeftOut | null {
  if (firstNoFile === null) return null;
  const kinds = NO_FILE_KINDS.flatMap((kind) => {
    const count = noFiles.get(kind) ?? 0;
    return count === 0
      ? []
      : ([[`${kind}s`, count, `${count} ${kind}${count === 1 ? '' : 's'}`]] as const);
  });
  const what = kinds.map(([, , text]) => text).join(' and ');
  const message = `left out, as they are no files: ${what}`;
  const counts = Object.fromEntries(kinds.map(([name, count]) => [name, count]));
  return { message, first: firstNoFile, ...counts };
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly realPath: string;
}

/** Files handed on at once. */
const BATCH_FILES = 4096;
/** Folders read between two turns of the event loop: a millisecond or so. */
const FOLDERS_PER_TURN = 32;
/** What Node's decoder puts where a name is not UTF-8. */
const REPLACEMENT = '\ufffd';

export async function* walkFolder(
  options: WalkOptions,
  tally: WalkTally,
): AsyncGenerator<readonly FoundFile[]> {
  const root = orUnreadable(options.root, () => realpathSync.native(options.root));
  let folders = 0;
  let batch: FoundFile[] = [];
  for (const step of walk(options, tally, '', [root])) {
    if (step.type === 'file') batch.push(step.file);
    else folders += 1;
    if (batch.length === BATCH_FILES) {
      yield batch;
      batch = [];
    }
    if (folders === FOLDERS_PER_TURN) {
      await setImmediate();
      options.signal?.throwIfAborted();
      folders = 0;
    }
  }
  options.signal?.throwIfAborted();
  if (batch.length > 0) yield batch;
}

type Step = { readonly type: 'folder' } | { readonly type: 'file'; readonly file: FoundFile };
const FOLDER: Step = { type: 'folder' };

/** `above` are the canonical paths of the folders from the root to this one. */
function* walk(
  options: WalkOptions,
  tally: WalkTally,
  prefix: string,
  above: readonly string[],
): Generator<Step> {
  const entries = listFolder(options, tally, above);
  yield FOLDER;
  for (const entry of entries) {
    const path = `${prefix}${entry.name}`;
    if (entry.isFolder) yield* walk(options, tally, `${path}/`, [...above, entry.realPath]);
    else yield { type: 'file', file: { path, realPath: entry.realPath } };
  }
}

/** The files and folders in the last of `above`, in order. */
function listFolder(
  options: WalkOptions,
  tally: WalkTally,
  above: readonly string[],
): readonly Entry[] {
  const folder = above.at(-1) ?? '';
  const dirents = orUnreadable(folder, () => readdirSync(folder, { withFileTypes: true }));
  const parent = folder === '/' ? '' : folder;
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    const { name } = dirent;
    const realPath = `${parent}/${name}`;
    if (name.includes(REPLACEMENT)) checkName(realPath);
    if (options.skippedNames.has(name)) tally.skippedEntries += 1;
    else if (dirent.isFile()) entries.push({ name, isFolder: false, realPath });
    else {
      const entry = lookCloser(dirent, realPath, above, tally);
      if (entry !== null) entries.push(entry);
    }
  }
  return sorted(entries, options.order);
}

/** An entry that is no plain file: a folder, a link to one or to a file, or nothing for us. */
function lookCloser(
  dirent: Dirent,
  path: string,
  above: readonly string[],
  tally: WalkTally,
): Entry | null {
  const { name } = dirent;
  if (dirent.isDirectory()) return { name, isFolder: true, realPath: path };
  if (!dirent.isSymbolicLink()) return leftOut(dirent, path, tally);
  const target = targetOf(path);
  const stats = orUnreadable(path, () => statSync(target));
  if (stats.isFile()) return { name, isFolder: false, realPath: target };
  if (!stats.isDirectory()) return leftOut(stats, path, tally);
  if (above.some((folder) => contains(target, folder))) {
    tally.linkLoops += 1;
    return null;
  }
  return { name, isFolder: true, realPath: target };
}

/** What holds no bytes of its own is no sample. */
function leftOut(entry: Pick<Dirent, 'isFIFO' | 'isSocket'>, path: string, tally: WalkTally): null {
  const kind = entry.isFIFO() ? 'pipe' : entry.isSocket() ? 'socket' : 'device';
  tally.specialFiles += 1;
  tally.noFiles.set(kind, (tally.noFiles.get(kind) ?? 0) + 1);
  tally.firstNoFile ??= path;
  return null;
}

/** Where a link leads to; one to nothing is a sample that is missing. */
function targetOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(path, error);
    throw new Mx8Error(
      'sample_unreadable',
      `${path} is a symbolic link to nothing: ${linkText(path)} is not there. Restore that, or remove the link: a data set does not leave out what it cannot read.`,
      { location: path, system_code: 'ENOENT' },
      error,
    );
  }
}

function linkText(path: string): string {
  return orUnreadable(path, () => readlinkSync(path));
}

function sorted(entries: Entry[], order: WalkOrder): readonly Entry[] {
  // A folder's paths go on with `/`, so that is what its name competes with in the order of bytes.
  const key = (entry: Entry): string =>
    order === 'bytes' && entry.isFolder ? `${entry.name}/` : entry.name;
  return entries.sort((a, b) => compareUtf8(key(a), key(b)));
}

/** A name with U+FFFD in it is either that character or bytes that are not UTF-8. */
function checkName(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(path, error);
    throw new Mx8Error(
      'sample_unreadable',
      `The name of ${path} is not UTF-8 (the bytes that are not are shown as ${REPLACEMENT}). Rename it.`,
      { location: path },
    );
  }
}

function orUnreadable<T>(path: string, read: () => T): T {
  try {
    return read();
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
