/** All bytes of an object, in ranges that are of one and the same object. */
import { Mx8Error } from '../core/base/errors.ts';
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

/** A small object, whole. Null: it is not there. `moving`: somebody wrote to it meanwhile. */
export async function readWhole(
  place: Place,
  location: string,
): Promise<{ readonly bytes: Uint8Array; readonly stat: ObjectStat } | 'moving' | null> {
  let stat: ObjectStat;
  try {
    stat = await place.stat(location);
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'object_missing') return null;
    throw error;
  }
  const bytes = new Uint8Array(stat.bytes);
  try {
    if (bytes.length > 0) await readInto(place, location, stat, 0, bytes, undefined);
  } catch (error) {
    const { code = null } = error instanceof Mx8Error ? error : {};
    if (code === 'object_changed' || code === 'object_missing') return 'moving';
    throw error;
  }
  return { bytes, stat };
}
