/** What SQLite says of the file of a coordinator's state, as errors with our codes and sentences. */
import { Mx8Error } from '../core/base/errors.ts';
import { systemReason } from '../core/base/system-error.ts';
import { hindrance } from './sqlite-hindrance.ts';

/**
 * How long a write waits for another process that is writing to the file; the whole process waits with
 * it, so this is short beside the TTL of a leader. Past it the caller may try again.
 */
export const BUSY_TIMEOUT_MS = 250;

/** The primary codes of SQLite for "another process has the lock". */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/** Those of what is in the way of a file that may be whole: memory, rights, limits, room, the device. */
const HINDRANCES: ReadonlySet<number> = new Set([
  3, // PERM
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  13, // FULL
  14, // CANTOPEN
  22, // NOLFS
  23, // AUTH
]);

/** Extended codes that SQLITE_IOERR has for what was read and is wrong: IOERR_DATA, IOERR_CORRUPTFS. */
const DAMAGE_READ: ReadonlySet<number> = new Set([10 | (32 << 8), 10 | (33 << 8)]);

export function stateInvalid(path: string, why: string): Mx8Error {
  return new Mx8Error(
    'coordinator_state_invalid',
    `the coordinator's state in ${path} is damaged: ${why}; restore the file from a backup`,
    { path },
  );
}

export function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && 'errcode' in error;
}

export function isBusy(error: unknown): boolean {
  return [SQLITE_BUSY, SQLITE_LOCKED].includes(primaryCode(error));
}

/** True when the system, not the file, is why SQLite refused. */
export function isHindered(error: Error): boolean {
  if (!('errcode' in error)) return false;
  return HINDRANCES.has(primaryCode(error)) && !DAMAGE_READ.has(Number(error.errcode));
}

function primaryCode(error: unknown): number {
  return isSqliteError(error) && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
}

export function busy(path: string, error: unknown): Mx8Error {
  return new Mx8Error(
    'store_unavailable',
    `the coordinator's state in ${path} is being written by another process for longer than ${BUSY_TIMEOUT_MS} ms; it is tried again`,
    { path },
    error,
  );
}

export function writeFailed(path: string, error: Error): Mx8Error {
  return new Mx8Error(
    'coordinator_state_write_failed',
    `the coordinator's state in ${path} cannot be written: ${sqliteReason(error, path)}; what was answered before is safe`,
    { path },
    error,
  );
}

/** What SQLite said of the file, and where that says little, what is in its way. */
export function sqliteReason(error: Error, path: string): string {
  return isHindered(error) ? hindrance(error, path) : error.message;
}

/** `what` cannot be worked with for a reason that lies outside of its file. */
export function stateUnusable(what: string, path: string, error: Error): Mx8Error {
  const reason = isSqliteError(error) ? sqliteReason(error, path) : systemReason(error);
  return new Mx8Error(
    'coordinator_state_unusable',
    `${what} in ${path} cannot be opened: ${reason}`,
    { path },
    error,
  );
}

/** SQLite's own refusals of a file, and the system's, as ours. */
export function asStateError(error: unknown, path: string): unknown {
  if (error instanceof Mx8Error || !(error instanceof Error)) return error;
  if (isBusy(error)) return busy(path, error);
  if (isSqliteError(error) && !isHindered(error)) return stateInvalid(path, error.message);
  return stateUnusable("the coordinator's state", path, error);
}
