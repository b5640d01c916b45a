/** A copy that passes through this machine, in bounded memory: where a store cannot copy a part of an object. */
import type { ObjectPlace, ObjectSpan, ObjectStat } from '../ports/place.ts';
import { PART_BYTES } from './object-writer.ts';

/** Creates an object; `object_exists` when there is one. */
export async function copyThrough(
  place: Pick<ObjectPlace, 'readRange' | 'upload'>,
  { location, start, end }: ObjectSpan,
  to: string,
  mark: string,
): Promise<ObjectStat> {
  const upload = await place.upload(to, mark);
  try {
    const buffer = new Uint8Array(Math.min(PART_BYTES, end - start));
    for (let at = start; at < end; at += buffer.length) {
      const bytes = buffer.subarray(0, Math.min(buffer.length, end - at));
      const targets = [{ bytes: bytes.length, into: bytes }];
      const range = { start: at, end: at + bytes.length, targets };
      await place.readRange(location, { ...range, pinnedTag: 0, pinnedBytes: -1 });
      await upload.add(bytes);
    }
  } catch (error) {
    await upload.abort();
    throw error;
  }
  return upload.complete({ type: 'create' });
}
