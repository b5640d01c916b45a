/**
 * The global order of a data set's blocks: a pure function of (sample count, block size, shuffle,
 * seed, epoch). Blocks are sorted by `key(start) = mix64(seed ^ epoch * GAMMA ^ start)`, ties by start;
 * mix64 is splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
 *
 * 64-bit values are kept as two 32-bit halves: a million BigInt operations would take a second.
 */

export interface BlockOrderSpec {
  readonly sampleCount: number;
  readonly blockSize: number;
  readonly shuffle: boolean;
  readonly seed: bigint;
  readonly epoch: number;
}

const MASK_64 = (1n << 64n) - 1n;
const GAMMA = 0x9e3779b97f4a7c15n;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Block indexes in global order; the identity without shuffle. */
export function blockOrder(spec: BlockOrderSpec): Uint32Array {
  const count = Math.ceil(spec.sampleCount / spec.blockSize);
  const order = new Uint32Array(count);
  for (let block = 0; block < count; block += 1) order[block] = block;
  if (!spec.shuffle) return order;
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  fillKeys(spec, high, low);
  return sortByKey(order, high, low);
}

function fillKeys(spec: BlockOrderSpec, high: Uint32Array, low: Uint32Array): void {
  const base = (spec.seed ^ ((BigInt(spec.epoch) * GAMMA) & MASK_64)) & MASK_64;
  const baseHigh = Number(base >> 32n);
  const baseLow = Number(base & 0xffffffffn);
  const out = new Uint32Array(2);
  for (let block = 0; block < high.length; block += 1) {
    const start = block * spec.blockSize;
    mix64(baseHigh ^ Math.floor(start / 0x100000000), baseLow ^ (start >>> 0), out);
    high[block] = out[0] ?? 0;
    low[block] = out[1] ?? 0;
  }
}

/** splitmix64's output function on (high, low); writes the halves to `out[0]`, `out[1]`. */
export function mix64(high: number, low: number, out: Uint32Array): void {
  // x += 0x9e3779b97f4a7c15
  let lo = (low >>> 0) + 0x7f4a7c15;
  let hi = (high >>> 0) + 0x9e3779b9 + (lo > 0xffffffff ? 1 : 0);
  lo >>>= 0;
  hi >>>= 0;
  // x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9
  let shiftedLo = ((lo >>> 30) | (hi << 2)) >>> 0;
  let shiftedHi = hi >>> 30;
  multiply((hi ^ shiftedHi) >>> 0, (lo ^ shiftedLo) >>> 0, 0xbf58476d, 0x1ce4e5b9, out);
  hi = out[0] ?? 0;
  lo = out[1] ?? 0;
  // x = (x ^ x >> 27) * 0x94d049bb133111eb
  shiftedLo = ((lo >>> 27) | (hi << 5)) >>> 0;
  shiftedHi = hi >>> 27;
  multiply((hi ^ shiftedHi) >>> 0, (lo ^ shiftedLo) >>> 0, 0x94d049bb, 0x133111eb, out);
  hi = out[0] ?? 0;
  lo = out[1] ?? 0;
  // x ^ x >> 31
  out[0] = (hi ^ (hi >>> 31)) >>> 0;
  out[1] = (lo ^ ((lo >>> 31) | (hi << 1))) >>> 0;
}

/**
 * (aHigh:aLow) * (bHigh:bLow) modulo 2^64 into `out`. The low halves are multiplied in 16-bit limbs;
 * no sum of a limb product and a carry passes 32 bits, so all of it stays in integer registers.
 */
function multiply(
  aHigh: number,
  aLow: number,
  bHigh: number,
  bLow: number,
  out: Uint32Array,
): void {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const middle = ((Math.imul(a1, b0) >>> 0) + (Math.imul(a0, b0) >>> 16)) >>> 0;
  const middleLow = ((Math.imul(a0, b1) >>> 0) + (middle & 0xffff)) >>> 0;
  const carry = (Math.imul(a1, b1) + (middle >>> 16) + (middleLow >>> 16)) | 0;
  out[0] = (carry + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) >>> 0;
  out[1] = Math.imul(aLow, bLow) >>> 0;
}

/**
 * Sorts the blocks by 64-bit key: a stable radix sort by the high half, keys and blocks moving
 * together so that every pass reads in sequence, then the rare runs of equal high halves (one pair in
 * 2^32) by low half and start.
 */
function sortByKey(order: Uint32Array, high: Uint32Array, low: Uint32Array): Uint32Array {
  let keys: Uint32Array = high;
  let blocks: Uint32Array = order;
  let spareKeys: Uint32Array = new Uint32Array(order.length);
  let spareBlocks: Uint32Array = new Uint32Array(order.length);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    radixPass(keys, blocks, spareKeys, spareBlocks, shift);
    [keys, spareKeys] = [spareKeys, keys];
    [blocks, spareBlocks] = [spareBlocks, blocks];
  }
  settleTies(keys, blocks, low);
  return blocks;
}

function radixPass(
  keys: Uint32Array,
  blocks: Uint32Array,
  toKeys: Uint32Array,
  toBlocks: Uint32Array,
  shift: number,
): void {
  const next = new Uint32Array(DIGITS);
  for (let index = 0; index < keys.length; index += 1) {
    const digit = ((keys[index] ?? 0) >>> shift) & (DIGITS - 1);
    next[digit] = (next[digit] ?? 0) + 1;
  }
  let sum = 0;
  for (let digit = 0; digit < DIGITS; digit += 1) {
    const count = next[digit] ?? 0;
    next[digit] = sum;
    sum += count;
  }
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] ?? 0;
    const digit = (key >>> shift) & (DIGITS - 1);
    const at = next[digit] ?? 0;
    next[digit] = at + 1;
    toKeys[at] = key;
    toBlocks[at] = blocks[index] ?? 0;
  }
}

/** `low` is by block; the radix sort was stable, so equal keys are already in order of start. */
function settleTies(keys: Uint32Array, blocks: Uint32Array, low: Uint32Array): void {
  for (let start = 0; start < keys.length;) {
    let end = start + 1;
    while (end < keys.length && keys[end] === keys[start]) end += 1;
    if (end - start > 1) {
      const run = [...blocks.subarray(start, end)];
      run.sort((a, b) => (low[a] ?? 0) - (low[b] ?? 0) || a - b);
      blocks.set(run, start);
    }
    start = end;
  }
}
