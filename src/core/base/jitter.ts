/** A small seeded source of chance for back-off, so that the machine stays a function of its events. */

/** First and longest wait between two tries of something that is away for a while. */
export const RETRY_BASE_MS = 100;
/** Long enough to spare a peer that starts, short enough to be back well within a lease TTL. */
export const RETRY_MAX_MS = 2_000;

export interface RetryBounds {
  readonly baseMs: number;
  readonly maxMs: number;
}

export class Jitter {
  readonly #bounds: RetryBounds;
  #state: number;

  constructor(seed: number, bounds: RetryBounds = { baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS }) {
    this.#state = seed >>> 0;
    this.#bounds = bounds;
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
    const { baseMs, maxMs } = this.#bounds;
    const full = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 16));
    return full * (0.5 + this.fraction() / 2);
  }
}
