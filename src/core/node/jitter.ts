/** A small seeded source of chance for back-off, so that the machine stays a function of its events. */
import { RETRY_BASE_MS, RETRY_MAX_MS } from './limits.ts';

export class Jitter {
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

  /** Between half and all of an exponentially growing wait; `attempt` counts from 0. */
  backoffMs(attempt: number): number {
    const full = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** Math.min(attempt, 16));
    return full * (0.5 + this.fraction() / 2);
  }
}
