/**
 * Whether a read would be over so soon that a thread which has nothing else to do may make it itself,
 * synchronously. That is so for data in the page cache and on fast disks; it saves waking another
 * thread, which takes about as long as reading a batch does.
 */

import { Distrust } from './distrust.ts';

/** Nothing else runs in this thread meanwhile; a hundredth of what a person or a heartbeat notices. */
const SHORT_MS = 1;
/** A read that was taken for short is given up after this long, where it can be. */
export const GIVE_UP_MS = 8;
/**
 * Reads that were taken for short and on average take longer are not. Well above `SHORT_MS`, so that
 * nearly every one must have been given up: on a busy machine any thread stands still for a few
 * milliseconds now and then.
 */
const DISAPPOINTING_MS = 6;
/** Weight of the newest read in an average. */
const NEWEST_WEIGHT = 0.25;
/** Reads that must have been observed before any is called short. */
const OBSERVED_MIN = 3;

export class ShortReads {
  #bytesPerMs: number = 0;
  #observed: number = 0;
  /** How long those took on average that were called short. */
  #madeMs: number = 0;
  readonly #distrust: Distrust = new Distrust();

  /** A read of `bytes` by another thread took `ms`, waiting for that thread included. */
  observe(bytes: number, ms: number): void {
    const rate = bytes / Math.max(ms, 0.001);
    this.#bytesPerMs += (rate - this.#bytesPerMs) * (this.#observed === 0 ? 1 : NEWEST_WEIGHT);
    this.#observed += 1;
    this.passed();
  }

  /** A read was made elsewhere. */
  passed(): void {
    this.#distrust.passed();
  }

  /** False for a while after a disappointment. */
  get isTrusting(): boolean {
    return this.#distrust.isOver;
  }

  isShort(bytes: number): boolean {
    if (this.#observed < OBSERVED_MIN || !this.isTrusting) return false;
    return bytes <= this.#bytesPerMs * SHORT_MS;
  }

  /** A read that was called short was made, or given up, and took `ms`. */
  made(ms: number): void {
    this.#madeMs += (ms - this.#madeMs) * NEWEST_WEIGHT;
    if (this.#madeMs < DISAPPOINTING_MS) {
      this.#distrust.pleased();
      return;
    }
    this.#madeMs = 0;
    this.#distrust.disappointed();
  }
}
