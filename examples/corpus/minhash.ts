/**
 * MinHash: a short signature of a document's set of shingles. The share of equal places in two
 * signatures estimates how much of their sets the documents have in common (Jaccard similarity).
 */

/** Standard error of the estimate: about 1 / sqrt(64) = 0.12 at worst, 0.05 near a similarity of 0.8. */
export const SIGNATURE_LENGTH = 64;
/** Tokens in a shingle: long enough that shared shingles mean shared phrases. */
const SHINGLE_TOKENS = 5;

/** Each place of the signature orders the shingles by another odd multiplier and offset. */
const MULTIPLIERS = Uint32Array.from(
  { length: SIGNATURE_LENGTH },
  (_, index) => (mix(index * 2 + 1) | 1) >>> 0,
);
const OFFSETS = Uint32Array.from({ length: SIGNATURE_LENGTH }, (_, index) => mix(index * 2 + 2));

export function minhash(tokens: readonly number[]): Uint32Array {
  const signature = new Uint32Array(SIGNATURE_LENGTH).fill(0xffffffff);
  const last = Math.max(0, tokens.length - SHINGLE_TOKENS);
  for (let start = 0; start <= last; start += 1) {
    const shingle = shingleHash(tokens, start);
    for (let place = 0; place < SIGNATURE_LENGTH; place += 1) {
      const order = (Math.imul(shingle, MULTIPLIERS[place] ?? 1) + (OFFSETS[place] ?? 0)) >>> 0;
      if (order < (signature[place] ?? 0)) signature[place] = order;
    }
  }
  return signature;
}

/** The estimated Jaccard similarity. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let place = 0; place < SIGNATURE_LENGTH; place += 1) {
    if (a[place] === b[place]) equal += 1;
  }
  return equal / SIGNATURE_LENGTH;
}

export function encodeSignature(signature: Uint32Array): string {
  return Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength).toString(
    'base64',
  );
}

export function decodeSignature(text: string): Uint32Array {
  // A copy, because the bytes of a small Buffer may begin at an odd place of a shared one.
  return new Uint32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);
}

function shingleHash(tokens: readonly number[], start: number): number {
  let hash = 0;
  for (let offset = 0; offset < SHINGLE_TOKENS; offset += 1) {
    hash = mix(Math.imul(hash, 31) + (tokens[start + offset] ?? -1));
  }
  return hash;
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
