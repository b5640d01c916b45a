/**
 * An ETag as a number that fits beside a size in a table of millions: the first 52 bits of two FNV-1a sums, never
 * 0. Two different ETags share one by accident once in some 10^15 times; whoever wants to forge an object
 * would have to forge its ETag, which the store makes.
 */
export function etagTag(etag: string): number {
  if (etag === '') return 0;
  const low = fnv1a(etag, 0x811c9dc5);
  const high = fnv1a(etag, 0x9747b28c) & 0xfffff;
  return high * 2 ** 32 + low || 1;
}

function fnv1a(text: string, seed: number): number {
  let hash = seed >>> 0;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  // One more round of mixing: similar texts differ in few bits otherwise.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  return (hash ^ (hash >>> 13)) >>> 0;
}
