/** Takes down what the loose files of a data set are like at the moment of pinning. */
import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import type { FileStamp, ManifestReader, StampWriter } from '../ports/manifest-store.ts';

/** Null for what cannot be looked at: whoever reads it says why. */
export function stampOf(path: string): FileStamp | null {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true ? { bytes: stats.size, mtimeMs: stats.mtimeMs } : null;
  } catch {
    return null;
  }
}

/** The stamps of every whole file that a stored manifest lists. */
export async function stampListed(
  reader: ManifestReader,
  stamps: StampWriter,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const records of reader.records(0, reader.sampleCount, signal)) {
    for (const { location, byteLength } of records) {
      const isLoose = byteLength === null && location.startsWith('/');
      stamps.add(isLoose ? stampOf(location) : null);
    }
    await setImmediate();
  }
}

const TAB = '\t';
const EMPTY_EXTENT: string = TAB.repeat(3);

/**
 * Watches the bytes of a manifest go by for lines without offset and length: only those list whole
 * files, and a packed data set of millions of samples has none to look at.
 */
export class LooseWatch {
  #found = false;
  /** Tabs at the end of the last chunk, up to two. */
  #carried = '';

  get found(): boolean {
    return this.#found;
  }

  async *watch(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#look(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      yield chunk;
    }
  }

  #look(chunk: Buffer): void {
    if (this.#found) return;
    const start = this.#carried + chunk.toString('latin1', 0, EMPTY_EXTENT.length - 1);
    this.#found = start.includes(EMPTY_EXTENT) || chunk.includes(EMPTY_EXTENT);
    const end = this.#carried + chunk.toString('latin1', Math.max(0, chunk.length - 2));
    this.#carried = /\t{0,2}$/.exec(end)?.[0] ?? '';
  }
}
