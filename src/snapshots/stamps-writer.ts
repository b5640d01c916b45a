/** Writes the stamps of a manifest's files while they are found, before the manifest's hash is known. */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import { assert } from '../core/base/assert.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { FileStamp, FileStamps, StampWriter } from '../ports/manifest-store.ts';
import { discard, syncFolder } from './durable-file.ts';
import {
  BLOCK_BYTES,
  ENTRY_BYTES,
  UNKNOWN,
  blockSum,
  decodeEntries,
  encodeFooter,
} from './stamps-format.ts';
import { storeError } from './system-error.ts';
import { makeFolders } from '../storage/make-folders.ts';

/**
 * Synchronous, as listing the files is: a block goes to the page cache every thousand files. Nothing is
 * made before the first stamp, so a manifest without loose files has no such file.
 */
export class FsStampWriter implements StampWriter {
  readonly #temporary: string;
  readonly #pathOf: (hash: ManifestHash) => string;
  readonly #block: Buffer = Buffer.alloc(BLOCK_BYTES);
  readonly #sums: Buffer[] = [];
  #filled = 0;
  #samples = 0;
  #known = 0;
  #fd: number | null = null;

  constructor(temporary: string, pathOf: (hash: ManifestHash) => string) {
    this.#temporary = temporary;
    this.#pathOf = pathOf;
  }

  get path(): string {
    return this.#temporary;
  }

  add(stamp: FileStamp | null): void {
    this.#block.writeDoubleLE(stamp?.bytes ?? UNKNOWN, this.#filled);
    this.#block.writeDoubleLE(stamp?.mtimeMs ?? UNKNOWN, this.#filled + 8);
    this.#filled += ENTRY_BYTES;
    this.#samples += 1;
    if (stamp !== null) this.#known += 1;
    if (this.#filled === BLOCK_BYTES) this.#flush();
  }

  read(start: number, end: number): FileStamps | null {
    if (this.#known === 0 || end > this.#samples) return null;
    const flushed = this.#samples * ENTRY_BYTES - this.#filled;
    const [from, to] = [start * ENTRY_BYTES, end * ENTRY_BYTES];
    const bytes = Buffer.alloc(to - from);
    for (let at = from; at < Math.min(to, flushed);) {
      at += this.#readFile(bytes.subarray(at - from, Math.min(to, flushed) - from), at);
    }
    if (to > flushed) {
      const held = Math.max(from, flushed);
      this.#block.copy(bytes, held - from, held - flushed, to - flushed);
    }
    return decodeEntries(bytes);
  }

  async keep(hash: ManifestHash): Promise<void> {
    if (this.#known === 0) return;
    const path = this.#pathOf(hash);
    try {
      if (this.#filled > 0) this.#flush();
      const sums = Buffer.concat(this.#sums);
      this.#write(Buffer.concat([sums, encodeFooter(sums, hash, this.#samples)]));
      fsyncSync(this.#open());
      await makeFolders(dirname(path));
      // Over that of an earlier snapshot with the same names: the files are as they are now.
      await rename(this.#temporary, path);
      await syncFolder(dirname(path));
    } catch (error) {
      throw storeError('write', path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await discard(this.#temporary);
  }

  #flush(): void {
    const block = this.#block.subarray(0, this.#filled);
    this.#sums.push(blockSum(block));
    this.#write(block);
    this.#filled = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#open(), bytes, at);
    } catch (error) {
      throw storeError('write', this.#temporary, error);
    }
  }

  /** How many bytes from `at` on were read, at least one. */
  #readFile(into: Uint8Array, at: number): number {
    let bytes: number;
    try {
      bytes = readSync(this.#open(), into, 0, into.length, at);
    } catch (error) {
      throw storeError('read', this.#temporary, error);
    }
    assert(bytes > 0, 'what was flushed is in the file');
    return bytes;
  }

  #open(): number {
    this.#fd ??= openSync(this.#temporary, 'wx+', 0o444);
    return this.#fd;
  }

  #close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}
