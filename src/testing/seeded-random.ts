/** Chance that a seed repeats, for tests. */
import type { Random } from '../ports/random.ts';

/** Mulberry32: small, and good enough to spread what a test draws. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const draw = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    fraction: () => draw() / 2 ** 32,
    bytes: (count) => Uint8Array.from({ length: count }, () => draw() & 0xff),
  };
}
