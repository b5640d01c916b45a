/** What SQLite says of the file of a coordinator's state, as errors with our codes and sentences. */
import { Mx8Error } from '../core/base/errors.ts';

/**
 * How long a write waits for another process that is writing to the file; the whole process waits with
 * it, so this is short beside the TTL of a leader. Past it the caller may try again.
 */
export const BUSY_TIMEOUT_MS = 250;

/** The primary codes of SQLite for "another process has the lock". */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

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
  if (!isSqliteError(error) || !('errcode' in error)) return false;
  const primary = Number(error.errcode) & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED;
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
    `the coordinator's state in ${path} cannot be written: ${error.message}; what was answered before is safe`,
    { path },
    error,
  );
}

/** SQLite's own refusals of a file, as ours. */
export function asStateError(error: unknown, path: string): unknown {
  if (error instanceof Mx8Error || !(error instanceof Error)) return error;
  if (isBusy(error)) return busy(path, error);
  const code = 'errcode' in error ? error.errcode : null;
  const SQLITE_CORRUPT = 11;
  const SQLITE_NOTADB = 26;
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return stateInvalid(path, error.message);
  return new Mx8Error(
    'coordinator_state_invalid',
    `the coordinator's state in ${path} cannot be opened: ${error.message}`,
    { path },
    error,
  );
}
