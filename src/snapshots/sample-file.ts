/** The file of one sample, opened to be read whole. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { Mx8Error } from '../core/base/errors.ts';
import { systemCode, systemReason } from './system-error.ts';

export class SampleFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly #fd: number;
  #at = 0;

  private constructor(
    path: string,
    fd: number,
    stats: { readonly size: number; readonly mtimeMs: number },
  ) {
    this.path = path;
    this.#fd = fd;
    this.size = stats.size;
    this.mtimeMs = stats.mtimeMs;
  }

  static open(path: string): SampleFile {
    try {
      // Opening a pipe without this flag would wait for somebody to write to it.
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = fstatSync(fd);
        if (!stats.isFile()) throw notAFile(path);
        return new SampleFile(path, fd, stats);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    } catch (error) {
      throw sampleError(path, error);
    }
  }

  /** Reads on into `buffer`, as much as there is; 0 at the end. */
  read(buffer: Uint8Array): number {
    return this.readAt(buffer, this.#at);
  }

  /** Reads from byte `position` on. */
  readAt(buffer: Uint8Array, position: number): number {
    try {
      const bytes = readSync(this.#fd, buffer, 0, buffer.length, position);
      this.#at = position + bytes;
      return bytes;
    } catch (error) {
      throw sampleError(this.path, error);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function notAFile(path: string): Mx8Error {
  return new Mx8Error('sample_unreadable', `${path} is not a file.`, { location: path });
}

function sampleError(path: string, error: unknown): Mx8Error {
  if (error instanceof Mx8Error) return error;
  const system = systemCode(error);
  const isMissing = system === 'ENOENT' || system === 'ENOTDIR';
  return new Mx8Error(
    isMissing ? 'sample_missing' : 'sample_unreadable',
    isMissing
      ? `The file ${path} is not there any more.`
      : `Cannot read ${path}: ${systemReason(error)}.`,
    { location: path, system_code: system },
    error,
  );
}
