/** Files of this machine as a byte source. The one that was read last stays open. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import type { ByteSource } from '../ports/byte-source.ts';

interface OpenFile {
  readonly location: string;
  readonly file: FileHandle;
}

export class LocalBytes implements ByteSource {
  #open: Promise<OpenFile> | null = null;
  #location = '';

  expect(): void {
    // Files are pinned by size and place only.
  }

  async sizeOf(location: string, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    const { file } = await this.#fileOf(location);
    const stats = await file.stat();
    if (stats.isFile()) return stats.size;
    throw new Mx8Error('sample_unreadable', `${location} is not a regular file.`, { location });
  }

  async read(
    location: string,
    position: number,
    into: Uint8Array,
    signal?: AbortSignal,
  ): Promise<number> {
    signal?.throwIfAborted();
    const { file } = await this.#fileOf(location);
    let got = 0;
    while (got < into.length) {
      const { bytesRead } = await file
        .read(into, got, into.length - got, position + got)
        .catch((error: unknown) => {
          throw localError(location, error);
        });
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return got;
  }

  async close(): Promise<void> {
    const opened = this.#open;
    this.#open = null;
    this.#location = '';
    const file = await opened?.then(
      (open) => open.file,
      () => null,
    );
    await file?.close();
  }

  async #fileOf(location: string): Promise<OpenFile> {
    if (this.#open !== null && this.#location === location) return this.#open;
    const before = this.close();
    this.#location = location;
    const opening = before.then(() => openFile(location));
    this.#open = opening;
    // Whoever asks next tries again.
    opening.catch(() => {
      if (this.#open === opening) this.#open = null;
    });
    return opening;
  }
}

async function openFile(location: string): Promise<OpenFile> {
  try {
    // Opening a pipe without this flag would wait for somebody to write to it.
    return { location, file: await open(location, constants.O_RDONLY | constants.O_NONBLOCK) };
  } catch (error) {
    throw localError(location, error);
  }
}

function localError(location: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === '') return error;
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
  return new Mx8Error(
    isMissing ? 'sample_missing' : 'sample_unreadable',
    isMissing
      ? `${location} is no longer there (${code}).`
      : `${location} could not be read (${code}).`,
    { location, system_code: code },
    error,
  );
}
