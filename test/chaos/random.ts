/** Chance from a seed: the same seed, the same plan. */
export class SeededChance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1): one step of mulberry32. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.fraction() * (high - low);
  }

  shuffled<T>(values: readonly T[]): T[] {
    const left = [...values];
    const dealt: T[] = [];
    while (left.length > 0)
      dealt.push(...left.splice(Math.floor(this.fraction() * left.length), 1));
    return dealt;
  }
}
