/** A folder is a cache when it says so itself; whatever else is in a folder is somebody's. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Mx8Error } from '../../core/base/errors.ts';
import { makeFoldersSync } from '../make-folders.ts';

/** The file that makes a folder a cache. */
const MARK_NAME = 'mx8-cache';

/** Makes the folder a cache, or sees that it is one; `disk_cache_unusable` when it cannot be. */
export function claimCacheFolder(folder: string): void {
  try {
    makeFoldersSync(folder);
    if (existsSync(join(folder, MARK_NAME))) return;
    const [name] = readdirSync(folder);
    if (name !== undefined) {
      throw cacheUnusable(
        folder,
        `it holds ${JSON.stringify(name)} and is no cache of mx8, which would delete what is in it`,
      );
    }
    writeFileSync(
      join(folder, MARK_NAME),
      'Copies of objects of stores. Deleting this folder is safe.\n',
    );
  } catch (error) {
    if (error instanceof Mx8Error) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw cacheUnusable(folder, `it cannot be written (${why})`, error);
  }
}

export function cacheUnusable(folder: string, why: string, cause?: unknown): Mx8Error {
  return new Mx8Error(
    'disk_cache_unusable',
    `The folder ${folder} cannot be the disk cache: ${why}. Name an empty folder, or none, with --disk-cache.`,
    { folder },
    cause,
  );
}
