/** Files that are there whole or not at all, also after a power cut. */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the entries of a folder (new names, renames) durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes `bytes` under `temporaryPath`, then moves them to `path` in one step. */
export async function writeDurably(
  path: string,
  temporaryPath: string,
  bytes: Uint8Array | string,
): Promise<void> {
  try {
    const file = await open(temporaryPath, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
  } catch (error) {
    await discard(temporaryPath);
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Removes a file that is not wanted any more while something else has failed, which is what is to be
 * told. If it stays, it is found as the file of a dead process later.
 */
export async function discard(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}
