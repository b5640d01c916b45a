/**
 * Which of two ways gives batches sooner: that the consumer reads each one itself, or that they are read
 * ahead in other threads. That is decided by the machine: whether a second core copies as fast as the first
 * while that is busy, and what waking it costs. So both are tried, the one that was better is kept for long,
 * and then the other one is tried again.
 */

/** Batches that are measured at a time … */
const WINDOW = 64;
/** … after those in which one way passes into the other. */
const SETTLING = 8;
/** How many windows the better way is kept. */
const KEPT_WINDOWS = 24;
/** Reading ahead must be so much better: it takes more of the processors. */
const AHEAD_GAIN = 1.03;
/** A batch that took longer counts for no more: any thread stands still now and then. */
const COUNTED_MS_MAX = 4;

export class ReadTrials {
  #isOwn: boolean = true;
  /** Whether this way is only tried. */
  #isTrial: boolean = true;
  #windowsLeft: number = 1;
  #batches: number = -SETTLING;
  #sumMs: number = 0;
  /** Of the last window each way; null before the first. */
  #ownMs: number | null = null;
  #aheadMs: number | null = null;

  /** Whether the consumer is to read. */
  get isOwn(): boolean {
    return this.#isOwn;
  }

  /** A batch came `ms` after the one before. */
  observe(ms: number): void {
    this.#batches += 1;
    if (this.#batches <= 0) return;
    this.#sumMs += Math.min(ms, COUNTED_MS_MAX);
    if (this.#batches < WINDOW) return;
    if (this.#isOwn) this.#ownMs = this.#sumMs;
    else this.#aheadMs = this.#sumMs;
    this.#windowsLeft -= 1;
    this.#batches = 0;
    this.#sumMs = 0;
    if (this.#windowsLeft === 0) this.#choose();
  }

  /** What was measured of this window does not count: the consumer was away. */
  interrupted(): void {
    this.#batches = -SETTLING;
    this.#sumMs = 0;
  }

  /** A trial gives way to the better of both; what was kept for long, to a trial of the other. */
  #choose(): void {
    const { isOwn } = this;
    this.#isTrial = this.#ownMs === null || this.#aheadMs === null || !this.#isTrial;
    if (this.#ownMs === null || this.#aheadMs === null || this.#isTrial) this.#isOwn = !isOwn;
    else this.#isOwn = this.#ownMs <= this.#aheadMs * AHEAD_GAIN;
    this.#windowsLeft = this.#isTrial ? 1 : KEPT_WINDOWS;
    if (this.#isOwn !== isOwn) this.interrupted();
  }
}
