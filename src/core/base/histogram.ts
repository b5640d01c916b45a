/** Counts of measured values by size: what a metric of times or sizes is made of. */
import { assert } from './assert.ts';

/** Upper bounds in seconds, from a tenth of a millisecond to ten seconds. */
export const SECONDS_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Upper bounds of counts, such as the commands of a batch. */
export const COUNT_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

export class Histogram {
  readonly bounds: readonly number[];
  /** Values in (bounds[i - 1], bounds[i]]; the last those above every bound. */
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    assert(
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? 0)),
      'bounds ascend',
    );
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    let index = 0;
    // Most values are small, and the bounds are few: a search from below beats one by halves.
    while (index < this.bounds.length && value > (this.bounds[index] ?? Infinity)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
    this.#count += 1;
  }

  /** How many values are at or below each bound. */
  cumulative(): readonly number[] {
    let below = 0;
    return this.bounds.map((_, index) => {
      below += this.#counts[index] ?? 0;
      return below;
    });
  }
}
