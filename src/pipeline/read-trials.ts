/**
 * Which of two ways gives batches sooner: that the consumer reads each one itself, alone, or that another thread
 * reads some of them beside it. That is decided by the machine: whether a second core copies as fast as the first
 * while that is busy, and what waking it costs. So one way is kept, and the other tried now and then: after
 * twice as long each time that nothing comes of it, and soon where the kept way has become slower.
 *
 *   kept ──▶ trial   its windows are over, or it has become slower
 *   trial ──▶ kept   the same way again; the other one where that is much better, or better twice in a row
 */

/** Batches that are measured at a time … */
const WINDOW = 24;
/** … after those in which one way passes into the other. */
const SETTLING = 6;
/**
 * How many windows a way is kept before the first trial, after it, and at most. The first trials come soon: while
 * code is not compiled yet and no thread was ever woken, the way that needs more of both looks worse than it is.
 */
const FIRST_WINDOWS = 1;
const KEPT_WINDOWS = 2;
const KEPT_WINDOWS_MAX = 1024;
/** How many it is kept between two trials where the first one spoke for the other way. */
const DOUBTED_WINDOWS = 1;
/** Reading with others must be so much better: it takes more of the processors. */
const SHARED_GAIN = 1.03;
/** So much better need not be shown twice. */
const CLEAR_GAIN = 1.5;
/** A way is slower than when it was chosen if its windows take so much longer, and these are so many. */
const SLOWER = 1.3;
const SLOWER_WINDOWS_MIN = 16;
/** Weight of the newest window in the mean. */
const NEWEST_WEIGHT = 0.25;
/** A batch that took longer counts for no more: any thread stands still now and then. */
const COUNTED_MS_MAX = 4;

export class ReadTrials {
  #keepsAlone: boolean = true;
  /** Whether the other way is tried. */
  #isTrial: boolean = false;
  #windows: number = 0;
  #windowsMax: number = FIRST_WINDOWS;
  #batches: number = -SETTLING;
  #sumMs: number = 0;
  /** What a window of the kept way takes: its mean, and what that was at the last trial. */
  #keptMs: number | null = null;
  #chosenMs: number = Infinity;
  /** How many windows it will be kept after the next trial that comes to nothing. */
  #nextMax: number = KEPT_WINDOWS;
  /** Whether the last trial spoke for the other way. */
  #isDoubted: boolean = false;

  /** Whether the consumer is to read all of them. */
  get isAlone(): boolean {
    return this.#keepsAlone !== this.#isTrial;
  }

  /** A batch came `ms` after the one before. */
  observe(ms: number): void {
    this.#batches += 1;
    if (this.#batches <= 0) return;
    this.#sumMs += Math.min(ms, COUNTED_MS_MAX);
    if (this.#batches < WINDOW) return;
    const windowMs = this.#sumMs;
    this.#batches = 0;
    this.#sumMs = 0;
    if (this.#isTrial) this.#judge(windowMs);
    else this.#note(windowMs);
  }

  /** What was measured of this window does not count: the consumer was away. */
  interrupted(): void {
    this.#batches = -SETTLING;
    this.#sumMs = 0;
  }

  /** A window of the kept way. */
  #note(windowMs: number): void {
    const keptMs = this.#keptMs ?? windowMs;
    this.#keptMs = keptMs + (windowMs - keptMs) * NEWEST_WEIGHT;
    this.#windows += 1;
    const isSlower = this.#windows >= SLOWER_WINDOWS_MIN && this.#keptMs > this.#chosenMs * SLOWER;
    if (isSlower) this.#nextMax = KEPT_WINDOWS;
    if (!isSlower && this.#windows < this.#windowsMax) return;
    this.#isTrial = true;
    this.interrupted();
  }

  /** A window of the other way. */
  #judge(triedMs: number): void {
    const keptMs = this.#keptMs ?? triedMs;
    const [aloneMs, sharedMs] = this.#keepsAlone ? [keptMs, triedMs] : [triedMs, keptMs];
    const isBetter = aloneMs <= sharedMs * SHARED_GAIN !== this.#keepsAlone;
    this.#isTrial = false;
    this.#windows = 0;
    this.#chosenMs = keptMs;
    this.interrupted();
    if (isBetter && !this.#isDoubted && triedMs * CLEAR_GAIN > keptMs) {
      this.#isDoubted = true;
      this.#windowsMax = DOUBTED_WINDOWS;
      return;
    }
    this.#isDoubted = false;
    if (isBetter) {
      this.#keepsAlone = !this.#keepsAlone;
      this.#keptMs = triedMs;
      this.#chosenMs = triedMs;
      this.#nextMax = KEPT_WINDOWS;
    }
    this.#windowsMax = this.#nextMax;
    this.#nextMax = Math.min(KEPT_WINDOWS_MAX, this.#nextMax * 2);
  }
}
