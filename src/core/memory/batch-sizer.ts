/**
 * Where a batch ends: after `batchSize` samples, or before the sample that would pass the byte target.
 * The rule looks only at the samples from the batch's start on, so a stream that is stopped after any
 * batch and started again gives the same batches.
 */
import { assert } from '../base/assert.ts';

export interface BatchLimits {
  readonly batchSize: number;
  /** A batch of several samples is at most this large. A sample beyond it travels alone. */
  readonly targetBytes: number;
  /** `max_inflight_bytes`: a sample beyond it can never be read. */
  readonly capBytes: number;
}

/**
 * Half of the cap, so that a batch of the largest size can be read while another one is in use.
 */
export function batchLimits(batchSize: number, maxInflightBytes: number): BatchLimits {
  assert(batchSize > 0 && maxInflightBytes > 0, 'batch size and cap are positive');
  const targetBytes = Math.max(1, Math.floor(maxInflightBytes / 2));
  return { batchSize, targetBytes, capBytes: maxInflightBytes };
}

export class BatchSizer {
  readonly #limits: BatchLimits;
  #count: number = 0;
  #bytes: number = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#count === this.#limits.batchSize;
  }

  /**
   * Takes the next sample into the batch, or answers false: the batch ends before it. A sample larger
   * than the cap is counted but has no bytes; it will be refused in its place.
   */
  take(sampleBytes: number): boolean {
    if (this.isFull) return false;
    const bytes = sampleBytes > this.#limits.capBytes ? 0 : sampleBytes;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limits.targetBytes) return false;
    this.#count += 1;
    this.#bytes += bytes;
    return true;
  }
}
