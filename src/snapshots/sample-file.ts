/** The file of one sample, opened to be read whole. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { Mx8Error } from '../core/base/errors.ts';
import { systemCode, systemReason } from './system-error.ts';

export class SampleFile {
  readonly path: string;
  readonly size: number;
  readonly #fd: number;
  #at = 0;

  private constructor(path: string, fd: number, size: number) {
    this.path = path;
    this.#fd = fd;
    this.size = size;
  }

  static open(path: string): SampleFile {
    try {
      const fd = openSync(path, 'r');
      try {
        return new SampleFile(path, fd, fstatSync(fd).size);
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

function sampleError(path: string, error: unknown): Mx8Error {
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
