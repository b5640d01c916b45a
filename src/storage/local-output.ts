/**
 * Writing to a local file system so that what is there is whole and stays there: files appear under
 * their name at once or not at all, and a name that was answered for survives a power cut.
 */
import { link, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, writing } from './output-error.ts';
import { makeFolders } from './make-folders.ts';

/** Most files synced or moved at once: enough to share the journal's commits, few open files. */
export const OUTPUT_CONCURRENCY = 16;

/** The bytes of a file, or null when there is none. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** Makes the bytes of a file durable. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes the folder and those above it that are not there, each durable in its parent. */
export async function makeFolder(path: string): Promise<void> {
  await writing('create the folder', path, async () => {
    const first = await makeFolders(path);
    if (first === undefined) return;
    const top = dirname(first);
    for (let parent = dirname(path); ; parent = dirname(parent)) {
      await syncFolder(parent);
      if (parent === top || parent === dirname(parent)) return;
    }
  });
}

/** Writes a file whole and durable under `path`, replacing what was there. `temporary` is beside it. */
export async function writeWhole(
  path: string,
  temporary: string,
  bytes: Uint8Array | string,
): Promise<void> {
  await writing('write', path, async () => {
    await writeSynced(temporary, bytes);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  });
}

/** The same, unless `path` is there already: then nothing is written and the answer is false. */
export async function writeWholeOnce(
  path: string,
  temporary: string,
  bytes: Uint8Array | string,
): Promise<boolean> {
  return writing('write', path, async () => {
    await writeSynced(temporary, bytes);
    const placed = await placeOnce(temporary, path);
    await unlinkIfThere(temporary);
    await syncFolder(dirname(path));
    return placed;
  });
}

async function writeSynced(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives `from` the second name `to` unless that is taken; false when it is. */
async function placeOnce(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    if (!LINKLESS.has(errno)) throw error;
    // A file system without hard links: the check and the rename are two steps there.
    if (await isThere(to)) return false;
    await rename(from, to);
    return true;
  }
}

const LINKLESS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

export type MoveResult =
  /** It is under its final name now, or was put there before. */
  | 'in_place'
  /** Another file has the name. */
  | 'taken'
  /** It is neither where it was staged nor under its name. */
  | 'missing';

/**
 * Moves a staged file to its final name, never over another file. Repeating it, also by another process
 * and after a crash at any point, gives the same result.
 */
export async function moveOnce(staged: string, final: string): Promise<MoveResult> {
  try {
    if (!(await placeOnce(staged, final)) && !(await sameFile(staged, final))) {
      return (await isThere(staged)) ? 'taken' : 'in_place';
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return (await isThere(final)) ? 'in_place' : 'missing';
  }
  await unlinkIfThere(staged);
  return 'in_place';
}

/** One file under two names; false where one of them is not there. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  try {
    const [one, other] = await Promise.all([stat(a), stat(b)]);
    return one.ino === other.ino && one.dev === other.dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

export async function removeTree(path: string): Promise<void> {
  await writing('remove', path, () => rm(path, { recursive: true, force: true }));
}

/** Runs `work` for each item, a bounded number at a time; the first error ends it. */
export async function forEachBounded<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  concurrency: number = OUTPUT_CONCURRENCY,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let item = items[next]; item !== undefined && !failed; item = items[next]) {
      next += 1;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(concurrency, items.length) }, lane);
  for (const result of await Promise.allSettled(lanes)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
