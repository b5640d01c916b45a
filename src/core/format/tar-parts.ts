/** The members of one WebDataset sample, where they lie. */
import { TarWalk } from './tar-walk.ts';
import { webDatasetName } from './webdataset-key.ts';

/** By extension, in the order of the archive. Throws `FormatError` for what is no part of a tar. */
export function tarParts(bytes: Uint8Array): Map<string, Uint8Array> {
  const walk = new TarWalk();
  const parts = new Map<string, Uint8Array>();
  for (let from = 0; from < bytes.length && !walk.isOver;) {
    const { end, member } = walk.take(bytes, from);
    from = end;
    if (member === null) continue;
    const { dataStart, size } = member;
    const named = member.isFile ? webDatasetName(member.name) : null;
    if (named !== null) parts.set(named.extension, bytes.subarray(dataStart, dataStart + size));
  }
  walk.finish();
  return parts;
}
