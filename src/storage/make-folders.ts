/**
 * Makes folders where somebody said that they are to be. Node's own `recursive: true` never ends where the system
 * says that the folder above is not there although it is, as in /proc: it makes that one, and tries again, for good.
 * So the topmost one is made alone; below one that could be made others can.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** The folder above may be taken away between looking for it and making one in it, but not each time. */
const TRIES_MAX = 3;

/** Makes the folder and those above it that are not there: the topmost that it made, undefined where there was none. */
export async function makeFolders(path: string): Promise<string | undefined> {
  for (let tries = 1; ; tries += 1) {
    const top = await topmostMissing(path);
    const error = top === null ? null : await mkdir(top).then(nothing, asError);
    if (isAgain(error, top, tries)) continue;
    const below = await mkdir(path, { recursive: true });
    return error === null ? (top ?? below) : below;
  }
}

/** The same at once. */
export function makeFoldersSync(path: string): void {
  for (let tries = 1; ; tries += 1) {
    const top = topmostMissingSync(path);
    let error: Error | null = null;
    try {
      if (top !== null) mkdirSync(top);
    } catch (caught) {
      error = asError(caught);
    }
    if (isAgain(error, top, tries)) continue;
    mkdirSync(path, { recursive: true });
    return;
  }
}

/** What making the topmost one ended with: whether to look again, or to go on (it is there); else it is thrown. */
function isAgain(error: Error | null, top: string | null, tries: number): boolean {
  if (top === null || error === null || codeOf(error) === 'EEXIST') return false;
  if (codeOf(error) !== 'ENOENT') throw error;
  if (tries < TRIES_MAX) return true;
  const message = `the system makes no folders in ${dirname(top)}`;
  throw Object.assign(new Error(message, { cause: error }), { code: 'ENOTSUP', path: top });
}

async function topmostMissing(path: string): Promise<string | null> {
  let missing: string | null = null;
  for (let folder = resolve(path); folder !== dirname(folder); folder = dirname(folder)) {
    const isThere = await stat(folder).then(
      () => true,
      () => false,
    );
    if (isThere) break;
    missing = folder;
  }
  return missing;
}

function topmostMissingSync(path: string): string | null {
  let missing: string | null = null;
  for (let folder = resolve(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(folder)) break;
    missing = folder;
  }
  return missing;
}

const nothing = (): null => null;
const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
