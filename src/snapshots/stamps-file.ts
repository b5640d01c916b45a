/** The stamps of a manifest's files, opened. It holds 16 bytes per 1024 samples, and reads by slice. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { assert } from '../core/base/assert.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { FileStamps } from '../ports/manifest-store.ts';
import { readRange } from './file-bytes.ts';
import {
  BLOCK_BYTES,
  BLOCK_SAMPLES,
  ENTRY_BYTES,
  FOOTER_BYTES,
  SUM_BYTES,
  blockSum,
  damagedStamps,
  decodeEntries,
  fileBytes,
  isOurs,
  isSound,
  sumsBytes,
} from './stamps-format.ts';
import { storeError, systemCode } from './system-error.ts';

export class StampsFile {
  readonly #path: string;
  readonly #hash: ManifestHash;
  readonly #sampleCount: number;
  readonly #file: FileHandle;
  readonly #sums: Buffer;

  private constructor(path: string, hash: ManifestHash, sampleCount: number, opened: Opened) {
    this.#path = path;
    this.#hash = hash;
    this.#sampleCount = sampleCount;
    this.#file = opened.file;
    this.#sums = opened.sums;
  }

  /** Null where nobody noted any, or in a form of another version; `manifest_corrupt` when damaged. */
  static async open(
    path: string,
    hash: ManifestHash,
    sampleCount: number,
  ): Promise<StampsFile | null> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw storeError('open', path, error);
    }
    try {
      const sums = await readSums(file, path, hash, sampleCount);
      if (sums !== null) return new StampsFile(path, hash, sampleCount, { file, sums });
    } catch (error) {
      await file.close();
      throw storeError('read', path, error);
    }
    await file.close();
    return null;
  }

  /** Of samples [start, end). */
  async read(start: number, end: number): Promise<FileStamps> {
    assert(0 <= start && start <= end && end <= this.#sampleCount, 'the slice is in the manifest');
    const firstBlock = Math.floor(start / BLOCK_SAMPLES);
    const from = firstBlock * BLOCK_SAMPLES;
    const to = Math.min(Math.ceil(end / BLOCK_SAMPLES) * BLOCK_SAMPLES, this.#sampleCount);
    const bytes = await readRange(this.#file, from * ENTRY_BYTES, Math.max(from, to) * ENTRY_BYTES);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const sumAt = (firstBlock + at / BLOCK_BYTES) * SUM_BYTES;
      const sum = this.#sums.subarray(sumAt, sumAt + SUM_BYTES);
      if (!blockSum(bytes.subarray(at, at + BLOCK_BYTES)).equals(sum)) {
        throw damagedStamps(this.#path, this.#hash);
      }
    }
    const stamps = decodeEntries(
      bytes.subarray((start - from) * ENTRY_BYTES, (end - from) * ENTRY_BYTES),
    );
    if (stamps.bytes.length < end - start) throw damagedStamps(this.#path, this.#hash);
    return stamps;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

interface Opened {
  readonly file: FileHandle;
  readonly sums: Buffer;
}

async function readSums(
  file: FileHandle,
  path: string,
  hash: ManifestHash,
  sampleCount: number,
): Promise<Buffer | null> {
  const { size } = await file.stat();
  const footerAt = size - FOOTER_BYTES;
  if (footerAt < 0) throw damagedStamps(path, hash);
  const footer = await readRange(file, footerAt, size);
  if (!isOurs(footer)) return null;
  if (size !== fileBytes(sampleCount)) throw damagedStamps(path, hash);
  const sums = await readRange(file, footerAt - sumsBytes(sampleCount), footerAt);
  if (!isSound(sums, footer, hash, sampleCount)) throw damagedStamps(path, hash);
  return sums;
}
