/**
 * How much room to set aside for a batch of files whose sizes nobody has asked for yet. Asking first
 * costs a quarter of the speed of small files, so after a first batch whose sizes were measured the
 * next ones are guessed. A guess that turns out too small costs that batch a second reading; then
 * guesses get wider and the next batches are measured again.
 */
const MARGIN_START = 1.25;
const MARGIN_FACTOR = 1.5;
const MARGIN_MAX = 4;
/** Batches measured after the first guess that failed; doubled with each further one. */
const MEASURED_AFTER_MISS = 4;
const MEASURED_AFTER_MISS_MAX = 1024;
/** Weight of the newest batch in the mean. */
const NEWEST_WEIGHT = 0.25;

export class SizeGuess {
  #meanBytes: number = 0;
  #margin: number = MARGIN_START;
  #measureNext: number = 0;
  #misses: number = 0;

  /** Bytes to set aside for `count` samples; null: measure their sizes first. */
  reserveBytes(count: number, targetBytes: number): number | null {
    if (this.#meanBytes === 0) return null;
    if (this.#measureNext > 0) {
      this.#measureNext -= 1;
      return null;
    }
    const bytes = Math.ceil(this.#meanBytes * count * this.#margin);
    // Where the byte target ends the batches, their ends depend on each sample's size.
    return bytes > targetBytes ? null : bytes;
  }

  /** A batch of `count` samples had `bytes` in all. */
  observe(count: number, bytes: number): void {
    if (count === 0) return;
    const mean = bytes / count;
    this.#meanBytes =
      this.#meanBytes === 0 ? mean : this.#meanBytes + NEWEST_WEIGHT * (mean - this.#meanBytes);
  }

  /** A guess was too small, or a batch did not end where it was guessed to. */
  missed(): void {
    this.#margin = Math.min(MARGIN_MAX, this.#margin * MARGIN_FACTOR);
    const measured = MEASURED_AFTER_MISS * 2 ** this.#misses;
    this.#measureNext = Math.min(measured, MEASURED_AFTER_MISS_MAX);
    if (measured < MEASURED_AFTER_MISS_MAX) this.#misses += 1;
  }
}
