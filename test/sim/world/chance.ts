/** The only source of chance in a simulated world: whole numbers from a seed, the same on every engine. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    // Neighbouring seeds begin far from each other.
    for (let round = 0; round < 3; round += 1) this.draw();
    this.#state = (this.#state ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  }

  /** A whole number of 32 bits: one step of mulberry32. */
  draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.draw() / 2 ** 32) * count);
  }

  /** `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True `permille` times out of a thousand. */
  happens(permille: number): boolean {
    return permille > 0 && this.below(1000) < permille;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error('there is something to choose from');
    return value;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.draw() & 0xff);
  }
}
