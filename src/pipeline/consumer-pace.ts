/** How long a consumer keeps a batch before it comes back for the next one. */

/** Below this it does little but wait for batches: handing a read to another thread costs as much. */
const QUICK_MS = 0.05;
/** From here on it has work of its own, during which others can read. Between the two all stays as it is. */
const SLOW_MS = 0.1;
/** One that took longer counts for no more: any thread stands still for a few milliseconds now and then. */
const COUNTED_MS_MAX = 0.4;
/** Weight of the newest time in the mean. */
const NEWEST_WEIGHT = 0.125;

export class ConsumerPace {
  #meanMs: number = 0;
  #isQuick: boolean = true;

  /** It came back `ms` after it got the last batch. */
  cameBack(ms: number): void {
    this.#meanMs += (Math.min(ms, COUNTED_MS_MAX) - this.#meanMs) * NEWEST_WEIGHT;
    if (this.#meanMs < QUICK_MS) this.#isQuick = true;
    else if (this.#meanMs > SLOW_MS) this.#isQuick = false;
  }

  /** Whether it does little but wait. */
  get isQuick(): boolean {
    return this.#isQuick;
  }
}
