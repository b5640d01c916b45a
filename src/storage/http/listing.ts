/**
 * A listing of a store, page by page, held to what every place promises of one: names of the prefix only, in byte
 * order, each once. A pinned list must be the same whoever makes it, so what cannot be in order is refused.
 */
import { compareUtf8 } from '../../core/manifest/byte-order.ts';
import type { ListedObject, ObjectStat } from '../../ports/place.ts';
import { unusable } from './http-errors.ts';

export interface ListedKey extends ObjectStat {
  /** As it is. */
  readonly key: string;
}

export interface KeyPage {
  readonly objects: readonly ListedKey[];
  /** What the next page is asked for with; null: this was the last one. */
  readonly next: string | null;
}

export interface Listing {
  /** As errors name it: the location that all locations begin with. */
  readonly prefix: string;
  readonly keyPrefix: string;
  /** Only keys that come after it. */
  readonly after: string | null;
  /** What a key is put behind to be a location. */
  readonly root: string;
  readonly page: (next: string | null) => Promise<KeyPage | string>;
}

export async function* listPages({
  prefix,
  keyPrefix,
  after,
  root,
  page,
}: Listing): AsyncGenerator<readonly ListedObject[], void> {
  let next: string | null = null;
  let last = after;
  for (;;) {
    const got: KeyPage | string = await page(next);
    if (typeof got === 'string') throw unusable(prefix, got);
    const listed: ListedObject[] = [];
    for (const { key, bytes, etag } of got.objects) {
      if (!key.startsWith(keyPrefix)) throw unusable(prefix, `it lists ${JSON.stringify(key)}`);
      if (after !== null && compareUtf8(key, after) <= 0) continue;
      if (last !== null && compareUtf8(last, key) >= 0) {
        throw unusable(
          prefix,
          `it lists ${JSON.stringify(key)} after ${JSON.stringify(last)}, which is not the byte order of names`,
        );
      }
      last = key;
      listed.push({ location: `${root}${key}`, bytes, etag });
    }
    if (listed.length > 0) yield listed;
    if (got.next === null) return;
    if (got.next === next) throw unusable(prefix, 'it names the same next page again and again');
    next = got.next;
  }
}
