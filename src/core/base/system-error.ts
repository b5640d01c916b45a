/** What the operating system said, as a sentence a person can act on. */
import { Mx8Error } from './errors.ts';

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
  EFBIG: 'the file would pass the limit of file sizes (ulimit -f)',
  EMFILE: 'too many files are open in this process; raise their limit (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
  ENOMEM: 'the system has no memory left for it',
  EAGAIN: 'the system has nothing left for it at this moment, as of processes (ulimit -u)',
};

/** What a process may be refused at any call, whatever the call is for: no bug of the caller. */
const REFUSED_ANYWHERE: ReadonlySet<string> = new Set([
  'EACCES',
  'EDQUOT',
  'EFBIG',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOSPC',
  'EPERM',
  'EROFS',
]);

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

/** An error that nobody gave a code, as `system_refused` where it is the system's no; else as it is. */
export function asSystemRefusal(error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof Mx8Error || !(error instanceof Error)) return error;
  if (!REFUSED_ANYWHERE.has(code) || !('syscall' in error)) return error;
  const path = 'path' in error && typeof error.path === 'string' ? ` ${error.path}` : '';
  const call = String(error.syscall).replace(path, '');
  const message = `the operating system refused "${call}${path}": ${systemReason(error)}`;
  return new Mx8Error('system_refused', message, { system_code: code, syscall: call }, error);
}
