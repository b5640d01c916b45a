/** Takes down what the loose files of a data set are like at the moment of pinning. */
import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import type { FileStamp, ManifestReader, StampWriter } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import { ObjectStamps } from './object-stamps.ts';

/** Null for what cannot be looked at: whoever reads it says why. */
export function stampOf(path: string): FileStamp | null {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true ? { bytes: stats.size, mtimeMs: stats.mtimeMs } : null;
  } catch {
    return null;
  }
}

/** The stamps of every whole file, and of every object in a store, that a stored manifest lists. */
export async function stampListed(
  reader: ManifestReader,
  stamps: StampWriter,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const objects = places === undefined ? null : new ObjectStamps(places, signal);
  for await (const records of reader.records(0, reader.sampleCount, signal)) {
    await objects?.look(records);
    for (const record of records) {
      const { location, byteLength } = record;
      const isLoose = byteLength === null && location.startsWith('/');
      stamps.add(isLoose ? stampOf(location) : (objects?.stampOf(record) ?? null));
    }
    await setImmediate();
  }
}

const TAB = '\t';
const EMPTY_EXTENT: string = TAB.repeat(3);
const URL_MARK = '://';

/**
 * Watches the bytes of a manifest go by for lines without offset and length, which list whole files, and for
 * URLs: a packed data set of files, with millions of samples, has nothing to look at.
 */
export class LooseWatch {
  #found = false;
  /** The end of the last chunk, up to two characters. */
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
    this.#found = [EMPTY_EXTENT, URL_MARK].some(
      (mark) => start.includes(mark) || chunk.includes(mark),
    );
    const end = this.#carried + chunk.toString('latin1', Math.max(0, chunk.length - 2));
    this.#carried = end.slice(-2);
  }
}
