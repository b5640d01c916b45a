/** How long answers of a host take to begin, beat by beat, and whether that is much longer than in the best of times. */

/** As in `host-limit.ts`. */
const LATE_FACTOR = 4;
const LATE_MS_MIN = 100;
const LATE_ANSWERS_MIN = 8;
/** The best time is forgotten, as the way to the host may have changed: in a beat, and in a late one. */
const BEST_DRIFT = 1.01;
const BEST_DRIFT_LATE = 1.05;

export class AnswerTimes {
  #bestMs: number = Infinity;
  #meanMs: number = 0;

  /** In the last beat that had some; 0: not known. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** Of one beat: so many answers, and the time until they began, added up. */
  areLate(answers: number, firstByteUs: number): boolean {
    if (answers < LATE_ANSWERS_MIN) return false;
    this.#meanMs = firstByteUs / answers / 1000;
    const lateMs = Math.max(this.#bestMs * LATE_FACTOR, this.#bestMs + LATE_MS_MIN);
    const isLate = this.#meanMs > lateMs;
    this.#bestMs = Math.min(this.#meanMs, this.#bestMs * (isLate ? BEST_DRIFT_LATE : BEST_DRIFT));
    return isLate;
  }
}
