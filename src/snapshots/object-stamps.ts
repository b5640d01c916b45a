/** What the objects that a manifest names are like now: each is asked for once while its samples follow each other. */
import { Mx8Error } from '../core/base/errors.ts';
import { isUrl } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { FileStamp } from '../ports/manifest-store.ts';
import type { ObjectStat, Places } from '../ports/place.ts';
import { STATS_AT_ONCE } from './limits.ts';

export class ObjectStamps {
  readonly #places: Places;
  readonly #signal: AbortSignal | undefined;
  #known: Map<string, ObjectStat | null> = new Map();

  constructor(places: Places, signal: AbortSignal | undefined) {
    this.#places = places;
    this.#signal = signal;
  }

  /** Asks for the objects of these records; what was known of others is forgotten. */
  async look(records: readonly SampleRecord[]): Promise<void> {
    const before = this.#known;
    this.#known = new Map();
    const asked: string[] = [];
    for (const { location } of records) {
      if (!isUrl(location) || this.#known.has(location)) continue;
      const known = before.get(location);
      this.#known.set(location, known ?? null);
      if (known === undefined) asked.push(location);
    }
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < asked.length; index = next++) {
        const location = asked[index] ?? '';
        this.#known.set(location, await this.#stat(location));
      }
    };
    await Promise.all(Array.from({ length: Math.min(STATS_AT_ONCE, asked.length) }, work));
  }

  stampOf({ location, byteLength }: SampleRecord): FileStamp | null {
    const stat = this.#known.get(location) ?? null;
    if (stat === null) return null;
    return { bytes: byteLength === null ? stat.bytes : -1, mtimeMs: etagTag(stat.etag) };
  }

  /** Null for what is not there: whoever reads it says why. */
  async #stat(location: string): Promise<ObjectStat | null> {
    try {
      return await this.#places.of(location).stat(location, this.#signal);
    } catch (error) {
      const isOfObject =
        error instanceof Mx8Error &&
        ['object_missing', 'object_denied', 'scheme_unsupported'].includes(error.code);
      if (isOfObject) return null;
      throw error;
    }
  }
}
