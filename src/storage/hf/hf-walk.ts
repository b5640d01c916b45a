/**
 * The files of a repository in byte order, page by page. The Hub gives the files below a folder at once, but in an order
 * of its own, so they are sorted here. Where they are more than should be in memory, it is asked for what is in the folder itself,
 * and for the files below each of its folders in turn: so what is held is bounded, and the first files come early.
 */
import { compareUtf8 } from '../../core/manifest/byte-order.ts';
import type { TreeEntry, TreeFile } from './hf-tree.ts';

export interface WalkLimits {
  /** Files below a folder that are sorted at once. */
  readonly subtreeFilesMax: number;
  /** Files and folders in one folder. */
  readonly folderEntriesMax: number;
}

export interface HfWalk {
  /** Entries of a folder ('': the root) by pages; with `isDeep` all files below it. */
  readonly pages: (folder: string, isDeep: boolean) => AsyncIterable<readonly TreeEntry[]>;
  /** Paths begin with it. */
  readonly prefix: string;
  /** Only paths that come after it. */
  readonly after: string | null;
  readonly limits: WalkLimits;
  /** For a folder of too many entries. */
  readonly tooMany: (folder: string) => Error;
}

export function walkHub(walk: HfWalk): AsyncGenerator<readonly TreeFile[]> {
  const { prefix } = walk;
  return walkFolder(walk, prefix.slice(0, Math.max(0, prefix.lastIndexOf('/'))));
}

async function* walkFolder(walk: HfWalk, folder: string): AsyncGenerator<readonly TreeFile[]> {
  const all = await filesBelow(walk, folder);
  if (all !== null) {
    if (all.length > 0) yield all;
    return;
  }
  let files: TreeFile[] = [];
  for (const entry of await entriesIn(walk, folder)) {
    if (entry.type === 'file') {
      files.push(entry);
      continue;
    }
    if (files.length > 0) yield files;
    files = [];
    yield* walkFolder(walk, entry.path);
  }
  if (files.length > 0) yield files;
}

/** In order; null where there are too many. */
async function filesBelow(walk: HfWalk, folder: string): Promise<readonly TreeFile[] | null> {
  const files: TreeFile[] = [];
  for await (const page of walk.pages(folder, true)) {
    for (const entry of page) {
      if (entry.type === 'file' && isWanted(walk, entry.path)) files.push(entry);
    }
    if (files.length > walk.limits.subtreeFilesMax) return null;
  }
  return files.sort((one, other) => compareUtf8(one.path, other.path));
}

/** In the order of the files that they are, or hold. */
async function entriesIn(walk: HfWalk, folder: string): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const page of walk.pages(folder, false)) {
    for (const entry of page) {
      const mayHold = entry.type === 'folder' && mayBeIn(walk, `${entry.path}/`);
      if (mayHold || (entry.type === 'file' && isWanted(walk, entry.path))) entries.push(entry);
    }
    if (entries.length > walk.limits.folderEntriesMax) throw walk.tooMany(folder);
  }
  return entries.sort((one, other) => compareUtf8(keyOf(one), keyOf(other)));
}

function keyOf({ type, path }: TreeEntry): string {
  return type === 'folder' ? `${path}/` : path;
}

function isWanted({ prefix, after }: HfWalk, path: string): boolean {
  return path.startsWith(prefix) && (after === null || compareUtf8(path, after) > 0);
}

/** Whether wanted files may begin with `start`, which ends in a slash. */
function mayBeIn({ prefix, after }: HfWalk, start: string): boolean {
  if (!start.startsWith(prefix) && !prefix.startsWith(start)) return false;
  return after === null || after.startsWith(start) || compareUtf8(start, after) > 0;
}
