/**
 * The share of a budget that somebody else has handed to this process, as of now. Times are milliseconds of
 * one monotonic clock.
 *
 * A share has a time. Once that is over nobody knows what others were given meanwhile: half of it, one at
 * least, is safe, until an answer brings a new share or says that there is none.
 */
import type { StoreShare } from './store-report.ts';

export class HeldShare {
  #share: { readonly requests: number; readonly untilMs: number } | null = null;
  #pausedUntilMs: number = -Infinity;

  /** Requests in flight; null: as many as the process finds out by itself. */
  requestsAt(nowMs: number): number | null {
    if (this.#share === null) return null;
    const { requests, untilMs } = this.#share;
    return nowMs < untilMs ? requests : Math.max(1, requests >> 1);
  }

  /** How long nothing is to be asked for. */
  pauseMsAt(nowMs: number): number {
    return this.#share === null ? 0 : Math.max(0, this.#pausedUntilMs - nowMs);
  }

  /** When it changes by itself next; null: it does not. */
  nextChangeMs(nowMs: number): number | null {
    if (this.#share === null) return null;
    const times = [this.#pausedUntilMs, this.#share.untilMs].filter((atMs) => atMs > nowMs);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The answer to what was asked at `askedMs`; null: there is no share. */
  hear(share: StoreShare | null, askedMs: number, nowMs: number): void {
    if (share === null) {
      this.#share = null;
      return;
    }
    this.#share = { requests: share.requests, untilMs: askedMs + share.ttlMs };
    this.#pausedUntilMs = nowMs + share.pauseMs;
  }
}
