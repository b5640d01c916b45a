/**
 * Whether a read would be over so soon that a thread which has nothing else to do may make it itself,
 * synchronously. That is so for data in the page cache and on fast disks; it saves waking another
 * thread, which takes about as long as reading a batch does.
 */

/** Nothing else runs in this thread meanwhile; a hundredth of what a person or a heartbeat notices. */
const SHORT_MS = 1;
/** A read that was taken for short and took this long is held against the next ones. */
const DISAPPOINTING_MS = 5;
/** Reads elsewhere after a disappointment, before one is made here again; doubled each time. */
const DISTRUST_READS = 64;
const DISTRUST_READS_MAX = 65_536;
/** Weight of the newest read in the rate. */
const NEWEST_WEIGHT = 0.25;
/** Reads that must have been observed before any is called short. */
const OBSERVED_MIN = 3;

export class ShortReads {
  #bytesPerMs: number = 0;
  #observed: number = 0;
  #distrust: number = 0;
  #nextDistrust: number = DISTRUST_READS;

  /** A read of `bytes` by another thread took `ms`, waiting for that thread included. */
  observe(bytes: number, ms: number): void {
    const rate = bytes / Math.max(ms, 0.001);
    this.#bytesPerMs += (rate - this.#bytesPerMs) * (this.#observed === 0 ? 1 : NEWEST_WEIGHT);
    this.#observed += 1;
    if (this.#distrust > 0) this.#distrust -= 1;
  }

  isShort(bytes: number): boolean {
    if (this.#observed < OBSERVED_MIN || this.#distrust > 0) return false;
    return bytes <= this.#bytesPerMs * SHORT_MS;
  }

  /** A read that was called short was made and took `ms`. */
  made(ms: number): void {
    if (ms < DISAPPOINTING_MS) return;
    this.#distrust = this.#nextDistrust;
    this.#nextDistrust = Math.min(DISTRUST_READS_MAX, this.#nextDistrust * 2);
  }
}
