/** The columns beside a stored manifest, opened. What is not as it should be counts for nothing. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import type { ManifestHash } from '../core/base/units.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import {
  BLOCK_BYTES,
  BLOCK_SAMPLES,
  FOOTER_BYTES,
  areColumnsKnownHere,
  decodeBlocks,
  encodeFooter,
  fileBytes,
} from './columns-format.ts';
import { readRange } from './file-bytes.ts';
import { systemCode } from './system-error.ts';

/** Samples whose columns are read at a time: 160 KiB. */
const CHUNK_SAMPLES: number = 8 * BLOCK_SAMPLES;

export class ColumnsFile {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Null where there are none for this manifest that can be read here. */
  static async open(
    path: string,
    hash: ManifestHash,
    sampleCount: number,
  ): Promise<ColumnsFile | null> {
    if (!areColumnsKnownHere) return null;
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      if (await belongs(file, hash, sampleCount)) return new ColumnsFile(file);
    } catch (error) {
      if (systemCode(error) === '') throw error;
    }
    await file?.close();
    return null;
  }

  /** The end of a chunk of samples from `from`, at most `end`. */
  chunkEnd(from: number, end: number): number {
    return Math.min(end, (Math.floor(from / CHUNK_SAMPLES) + 1) * CHUNK_SAMPLES);
  }

  /** Samples [from, to) of one chunk; null where they are damaged or cannot be read. */
  async read(from: number, to: number): Promise<RecordTable | null> {
    const firstBlock = Math.floor(from / BLOCK_SAMPLES);
    const endBlock = Math.ceil(to / BLOCK_SAMPLES);
    try {
      const blocks = await readRange(this.#file, firstBlock * BLOCK_BYTES, endBlock * BLOCK_BYTES);
      return decodeBlocks(blocks, from, to);
    } catch (error) {
      if (systemCode(error) === '') throw error;
      return null;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function belongs(
  file: FileHandle,
  hash: ManifestHash,
  sampleCount: number,
): Promise<boolean> {
  const { size } = await file.stat();
  if (size !== fileBytes(sampleCount)) return false;
  const footer = await readRange(file, size - FOOTER_BYTES, size);
  return footer.equals(encodeFooter(hash, sampleCount));
}
