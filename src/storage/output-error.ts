/** What the operating system says about writing an output, as a sentence with a way out. */
import { Mx8Error } from '../core/base/errors.ts';

/** The errno name of a failed system call (`ENOSPC`), or '' for any other error. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the disk quota is used up; free some space',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted there',
  ENAMETOOLONG: 'the name is longer than the file system takes',
  EIO: 'the disk reported an error',
  EMFILE: 'too many files are open; raise the limit of open files (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
  ENOTDIR: 'a part of the path is a file, not a folder',
};

/** `doing` completes "could not …", for instance "write". */
export function outputError(error: unknown, doing: string, path: string): Mx8Error {
  if (error instanceof Mx8Error) return error;
  const errno = errnoOf(error);
  const reason = REASONS[errno] ?? (error instanceof Error ? error.message : String(error));
  const message = `could not ${doing} ${path}: ${reason}`;
  return new Mx8Error('output_write_failed', message, { path, errno }, error);
}

/** Runs `body`; what the operating system refuses becomes `output_write_failed`. */
export async function writing<T>(doing: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw outputError(error, doing, path);
  }
}

/**
 * The same for objects: what a store refuses becomes `output_write_failed`, with what it said. A store that
 * does not answer stays what it is: nothing is wrong with the output, and trying again may help.
 */
export async function outputTo<T>(location: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const isRefusal = error instanceof Mx8Error && REFUSALS.has(error.code);
    if (!isRefusal) throw error;
    const message = `could not write the output ${location}: ${error.message}`;
    throw new Mx8Error('output_write_failed', message, { ...error.details, location }, error);
  }
}

const REFUSALS: ReadonlySet<string> = new Set([
  'object_missing',
  'object_changed',
  'object_denied',
  'object_answer_invalid',
  'object_credentials_missing',
  'address_refused',
]);
