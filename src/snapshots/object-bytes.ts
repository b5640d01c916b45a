/** All bytes of an object, in ranges that are of one and the same object. */
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { ObjectStat, Place } from '../ports/place.ts';
import { OBJECT_CHUNK_BYTES } from './limits.ts';

/** Every chunk is in memory of its own. */
export async function* objectBytes(
  place: Place,
  location: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const object = await place.stat(location, signal);
  for (let start = 0; start < object.bytes; start += OBJECT_CHUNK_BYTES) {
    const bytes = new Uint8Array(Math.min(OBJECT_CHUNK_BYTES, object.bytes - start));
    await readInto(place, location, object, start, bytes, signal);
    yield bytes;
  }
}

/** `object_changed` when it is not the object any more that it was. */
export async function readInto(
  place: Place,
  location: string,
  object: ObjectStat,
  start: number,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const range = {
    start,
    end: start + into.length,
    targets: [{ bytes: into.length, into }],
    pinnedTag: etagTag(object.etag),
    pinnedBytes: object.bytes,
  };
  await place.readRange(location, range, signal);
}
