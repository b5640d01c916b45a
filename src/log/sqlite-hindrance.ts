/**
 * Why SQLite cannot work on a file that is not damaged. SQLite itself says only "unable to open database
 * file" or "disk I/O error" and keeps the number of the system to itself, so the system is asked again for
 * what may have been in the way. Nothing here opens the file: to close it would let go of SQLite's locks.
 */
import { accessSync, constants, readFileSync, readdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode, systemReason } from '../core/base/system-error.ts';

/** Primary codes of SQLite; the upper bytes of an extended one say which call it was. */
const SQLITE_NOMEM = 7;
const SQLITE_FULL = 13;

/** Files that SQLite opens at a time for one database: it, its log, the log's index, the folder. */
const FILES_OF_A_DATABASE = 4;

/** What the system says of this process and of the place of the file; null: it does not say. */
export interface Surroundings {
  /** How many more files this process may open, and how many in all (null: not known). */
  readonly files: { readonly left: number; readonly max: number | null } | null;
  /** Size up to which this process may write files. */
  readonly fileBytesMax: number | null;
  /** Of the file, what belongs to it and its folder: the first that may not be read and written. */
  readonly refused: { readonly path: string; readonly reason: string } | null;
  readonly freeBytes: number | null;
}

/** What is in the way, to stand after "cannot be opened:" or "cannot be written:". */
export function hindrance(error: Error, path: string): string {
  return hindranceIn(error, surroundingsOf(path));
}

export function hindranceIn(error: Error, around: Surroundings): string {
  const primary = 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  const { files, fileBytesMax, refused, freeBytes } = around;
  if (primary === SQLITE_NOMEM) return 'the process has no memory left for it';
  if (primary === SQLITE_FULL || freeBytes === 0) return 'the disk is full; free some space';
  if (files !== null && files.left < FILES_OF_A_DATABASE) {
    const most = files.max === null ? '' : `, which may have ${files.max}`;
    return `too many files are open in this process${most}; raise their limit (ulimit -n)`;
  }
  if (refused !== null) return `${refused.path} cannot be used: ${refused.reason}`;
  if (fileBytesMax !== null) {
    return `${error.message}; this process may write files of at most ${fileBytesMax} bytes, which may be too few: raise that limit (ulimit -f)`;
  }
  const code = 'errcode' in error ? ` (SQLite's ${String(error.errcode)})` : '';
  return `${error.message}${code}; the log of the system (dmesg) may say more of the disk`;
}

function surroundingsOf(path: string): Surroundings {
  return {
    files: filesLeft(),
    fileBytesMax: limitNamed('Max file size'),
    refused: firstRefused(path),
    freeBytes: freeBytesAt(path),
  };
}

function filesLeft(): Surroundings['files'] {
  try {
    // One of them is the folder that is read here.
    const open = readdirSync('/proc/self/fd').length - 1;
    const max = limitNamed('Max open files');
    return max === null ? null : { left: max - open, max };
  } catch (error) {
    // Not Linux, or the next file is one too many.
    return ['EMFILE', 'ENFILE'].includes(systemCode(error)) ? { left: 0, max: null } : null;
  }
}

/** A limit of this process as Linux lists them; null where there is none or it does not say. */
function limitNamed(name: string): number | null {
  try {
    const line = readFileSync('/proc/self/limits', 'utf8')
      .split('\n')
      .find((one) => one.startsWith(name));
    const soft = Number.parseInt(line?.slice(name.length).trim() ?? '', 10);
    return Number.isNaN(soft) ? null : soft;
  } catch {
    return null;
  }
}

function firstRefused(path: string): Surroundings['refused'] {
  const { R_OK, W_OK, X_OK } = constants;
  const folder = dirname(path);
  for (const [one, mode] of [
    [folder, R_OK | W_OK | X_OK],
    [path, R_OK | W_OK],
    [`${path}-wal`, R_OK | W_OK],
    [`${path}-shm`, R_OK | W_OK],
  ] as const) {
    try {
      accessSync(one, mode);
    } catch (error) {
      // What belongs to a database is made when it is missing.
      if (one === folder || systemCode(error) !== 'ENOENT') {
        return { path: one, reason: systemReason(error) };
      }
    }
  }
  return null;
}

function freeBytesAt(path: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return null;
  }
}
