/**
 * How uneven the payloads of batches are. The memory that a pipeline needs follows its largest batches, its
 * speed the usual one: where the 95th percentile of the last batches is far above their median, caps that
 * fit most of the time are passed now and then.
 */

/** Batches that the percentiles are of: enough that the 95th is more than one batch. */
export const JITTER_WINDOW_BATCHES = 128;

/** Fewer say nothing about a 95th percentile. */
export const JITTER_BATCHES_MIN = 20;

/** A batch above twice the usual payload breaks the promise that batches are alike. */
export const JITTER_SLO_MILLI = 2000;

export class BatchJitter {
  readonly #window: number[] = [];
  #next = 0;
  /** Batches that were larger than the SLO allows, compared with the median of those before them. */
  breachesTotal: number = 0;

  add(payloadBytes: number): void {
    const median = this.#percentile(0.5);
    if (median > 0 && payloadBytes * 1000 > median * JITTER_SLO_MILLI) this.breachesTotal += 1;
    this.#window[this.#next] = payloadBytes;
    this.#next = (this.#next + 1) % JITTER_WINDOW_BATCHES;
  }

  /** In thousandths; 0 while too few batches are known. */
  get p95OverP50Milli(): number {
    const median = this.#percentile(0.5);
    return median === 0 ? 0 : Math.round((this.#percentile(0.95) * 1000) / median);
  }

  #percentile(part: number): number {
    if (this.#window.length < JITTER_BATCHES_MIN) return 0;
    const sorted = this.#window.toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * part) - 1] ?? 0;
  }
}
