/**
 * When to try again what a store did not answer well. Not a number of attempts but a time: as long as
 * anything arrives now and then, patience starts anew; without progress it ends after `budgetMs`. The wait
 * is full jitter (uniform between nothing and an exponentially growing bound), which spreads those who
 * were refused together; what the store asks for (`Retry-After`) is the least.
 */
export interface RetryLimits {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Longest time without progress. */
  readonly budgetMs: number;
}

/** Throttling for some minutes is survived; a store that is gone for good is told of before a lunch break. */
export const RETRY_LIMITS: RetryLimits = { baseMs: 100, maxMs: 10_000, budgetMs: 300_000 };

/** A store that asks for more patience than this is taken for one that is gone. */
export const RETRY_AFTER_MS_MAX = 120_000;

/** A person who waits without knowing for what gives up or asks; a moment's trouble is nobody's business. */
const TELL_AFTER_MS = 5_000;
const TELL_EVERY_MS = 60_000;

export class RetryBudget {
  readonly #limits: RetryLimits;
  #sinceMs: number;
  #failures: number = 0;
  /** When somebody was told last of the present wait; null: not yet. */
  #toldMs: number | null = null;

  constructor(limits: RetryLimits, nowMs: number) {
    this.#limits = limits;
    this.#sinceMs = nowMs;
  }

  /** Failures since the last progress. */
  get failures(): number {
    return this.#failures;
  }

  progressed(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#failures = 0;
    this.#toldMs = null;
  }

  /** Milliseconds since the last progress. */
  silentMs(nowMs: number): number {
    return nowMs - this.#sinceMs;
  }

  /**
   * Whether a wait that lasts until `untilMs` is to be told of: one soon, then one now and then. Counts as
   * told.
   */
  mustTell(untilMs: number): boolean {
    const dueMs =
      this.#toldMs === null ? this.#sinceMs + TELL_AFTER_MS : this.#toldMs + TELL_EVERY_MS;
    if (untilMs < dueMs) return false;
    this.#toldMs = untilMs;
    return true;
  }

  /** Milliseconds to wait before the next try; null: the time is used up. `fraction` is in [0, 1). */
  waitMs(nowMs: number, fraction: number, retryAfterMs: number = 0): number | null {
    const { baseMs, maxMs, budgetMs } = this.#limits;
    const bound = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    const least = Math.min(retryAfterMs, RETRY_AFTER_MS_MAX);
    const waitMs = least + fraction * bound;
    return nowMs + waitMs - this.#sinceMs > budgetMs ? null : waitMs;
  }
}

/** Milliseconds that a `Retry-After` header asks for: seconds, or a date. 0 when it says nothing. */
export function retryAfterMs(
  header: string | undefined,
  parsedDateMs: number,
  unixMs: number,
): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  return Number.isFinite(parsedDateMs) ? Math.max(0, parsedDateMs - unixMs) : 0;
}
