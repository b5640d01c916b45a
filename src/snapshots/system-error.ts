/** What the operating system said, as a sentence a person can act on. */
import { Mx8Error } from '../core/base/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the device reported an input/output error',
  EMFILE: 'too many files are open in this process',
  ENFILE: 'too many files are open on this machine',
};

/** `ENOENT` and the like; '' for anything that is not an error of the system. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

export function systemReason(error: unknown): string {
  const code = systemCode(error);
  const reason = REASONS[code];
  if (reason !== undefined) return `${reason} (${code})`;
  return error instanceof Error ? error.message : String(error);
}

/** `manifest_store_failed`, unless the error says something more exact already. */
export function storeError(what: string, path: string, error: unknown): unknown {
  if (error instanceof Mx8Error || systemCode(error) === '') return error;
  return new Mx8Error(
    'manifest_store_failed',
    `Cannot ${what} ${path} of the manifest store: ${systemReason(error)}.`,
    { path, system_code: systemCode(error) },
    error,
  );
}
