/**
 * How many requests one host may have in flight. It grows by one for each answer until a first sign of
 * strain, then by one for each round of answers. Where refusals (429, 503, broken connections) are more than
 * the odd one, they halve it, once for all that was in flight then; answers that take much longer to begin
 * than they once did stop the growth and take a little back. So it finds what the host gives, and follows
 * when that changes. One failure in a hundred is no reason to slow down: it is only tried again.
 */
export interface HostLimitBounds {
  readonly start: number;
  readonly min: number;
  readonly max: number;
}

export const HOST_LIMIT_BOUNDS: HostLimitBounds = { start: 8, min: 1, max: 64 };

/** First bytes that come this many times later than in the best of times are a sign of strain … */
const STRAINED_FACTOR = 4;
/** … where the difference is more than a busy machine makes by itself. */
const STRAINED_MS_MIN = 100;
/** Weight of the newest answer in the running mean. */
const NEWEST_WEIGHT = 0.1;
/** The best time is forgotten slowly, as the way to the host may have changed. */
const BEST_DRIFT = 1.001;
/** A request is sent again when its answer is this many times later than others on average, and this much. */
const HEDGE_FACTOR = 5;
const HEDGE_MS_MIN = 200;
const HEDGE_ANSWERS_MIN = 16;
/** Asking twice must not be what overloads a host. */
const HEDGED_PART_MAX = 0.03;
/** Of the last refusals and answers, when refusals begin to count, and the weight of the newest. */
const REFUSED_PART_MAX = 0.1;
const NEWEST_REFUSAL_WEIGHT = 1 / 32;
const STRAIN_DECREASE = 0.9;
const REFUSAL_DECREASE = 0.5;

export class HostLimit {
  readonly #bounds: HostLimitBounds;
  #limit: number;
  #isCareful: boolean = false;
  #bestMs: number = Infinity;
  #meanMs: number = 0;
  #refusedPart: number = 0;
  #answers: number = 0;
  #hedges: number = 0;
  /** Answers until the limit may be lowered again: those that were under way at the last time. */
  #deafFor: number = 0;

  constructor(bounds: HostLimitBounds = HOST_LIMIT_BOUNDS) {
    this.#bounds = bounds;
    this.#limit = bounds.start;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * When an answer that has not begun is so late that the same may be asked for once more, in
   * milliseconds; null as long as little is known of the host, or when enough was asked for twice.
   */
  get hedgeAfterMs(): number | null {
    if (this.#answers < HEDGE_ANSWERS_MIN || this.#hedges > this.#answers * HEDGED_PART_MAX)
      return null;
    return HEDGE_MS_MIN + this.#meanMs * HEDGE_FACTOR;
  }

  /** A request was sent a second time. */
  hedged(): void {
    this.#hedges += 1;
  }

  /** An answer began `firstByteMs` after its request, with `inFlight` requests under way. */
  answered(firstByteMs: number, inFlight: number): void {
    this.#heard(0);
    this.#answers += 1;
    this.#bestMs = Math.min(firstByteMs, this.#bestMs * BEST_DRIFT);
    this.#meanMs += (firstByteMs - this.#meanMs) * (this.#meanMs === 0 ? 1 : NEWEST_WEIGHT);
    const strainedMs = Math.max(this.#bestMs * STRAINED_FACTOR, this.#bestMs + STRAINED_MS_MIN);
    if (this.#meanMs > strainedMs) {
      this.#lower(STRAIN_DECREASE, inFlight);
      return;
    }
    // A limit that is not used says nothing about the host.
    if (inFlight < this.limit) return;
    this.#limit = Math.min(this.#bounds.max, this.#limit + (this.#isCareful ? 1 / this.#limit : 1));
  }

  /** The host refused, or the connection broke, with `inFlight` requests under way. */
  refused(inFlight: number): void {
    this.#heard(1);
    if (this.#refusedPart > REFUSED_PART_MAX) this.#lower(REFUSAL_DECREASE, inFlight);
  }

  #heard(refused: 0 | 1): void {
    this.#refusedPart += (refused - this.#refusedPart) * NEWEST_REFUSAL_WEIGHT;
    if (this.#deafFor > 0) this.#deafFor -= 1;
  }

  #lower(factor: number, inFlight: number): void {
    this.#isCareful = true;
    if (this.#deafFor > 0) return;
    this.#limit = Math.max(this.#bounds.min, this.#limit * factor);
    this.#deafFor = inFlight;
  }
}
