/** Whether the memory caps of a process fit each other, and what they are where nobody said. */
import type { Refusal } from '../base/errors.ts';
import { refused } from '../base/errors.ts';
import {
  BATCH_SIZE_MAX,
  BATCHES_AHEAD_MAX,
  INFLIGHT_BYTES_DEFAULT,
  INFLIGHT_BYTES_MIN,
  INFLIGHT_PART_OF_RSS_CAP,
} from './limits.ts';

export interface Caps {
  readonly batchSize: number;
  readonly maxInflightBytes: number;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
  /** null: no cap on the process. */
  readonly rssCapBytes: number | null;
  /** Bytes of a sample where they are known; at least 1 everywhere. */
  readonly bytesPerSample?: number;
}

/** The default of `max_inflight_bytes` in a process with this RSS cap. */
export function defaultInflightBytes(rssCapBytes: number | null): number {
  if (rssCapBytes === null) return INFLIGHT_BYTES_DEFAULT;
  const part = Math.floor(rssCapBytes * INFLIGHT_PART_OF_RSS_CAP);
  return Math.max(INFLIGHT_BYTES_MIN, Math.min(INFLIGHT_BYTES_DEFAULT, part));
}

/** The first contradiction among the caps as `caps_conflict`, or null when they fit each other. */
export function checkCaps(caps: Caps): Refusal | null {
  const { batchSize, maxInflightBytes, rssCapBytes } = caps;
  const wrongCount =
    checkCount('batch_size', batchSize, BATCH_SIZE_MAX, 'no batch could hold a sample') ??
    checkCount(
      'prefetch_batches',
      caps.prefetchBatches,
      BATCHES_AHEAD_MAX,
      'nothing could be read',
    ) ??
    checkCount(
      'max_queue_batches',
      caps.maxQueueBatches,
      BATCHES_AHEAD_MAX,
      'nothing could be ready',
    );
  if (wrongCount !== null) return wrongCount;
  if (!Number.isSafeInteger(maxInflightBytes) || maxInflightBytes < INFLIGHT_BYTES_MIN) {
    return conflict(
      `max_inflight_bytes is ${maxInflightBytes}, but it takes a whole number of at least ${INFLIGHT_BYTES_MIN}.`,
    );
  }
  const batchBytes = batchSize * (caps.bytesPerSample ?? 1);
  if (batchBytes > maxInflightBytes) {
    return conflict(
      `A batch of batch_size ${batchSize} needs at least ${batchBytes} bytes, more than ` +
        `max_inflight_bytes ${maxInflightBytes}. Lower batch_size or raise max_inflight_bytes.`,
    );
  }
  if (rssCapBytes !== null && maxInflightBytes > rssCapBytes) {
    return conflict(
      `max_inflight_bytes ${maxInflightBytes} is larger than max_process_rss_bytes ${rssCapBytes}, which ` +
        'the whole process must stay under. Lower max_inflight_bytes or raise max_process_rss_bytes.',
    );
  }
  return null;
}

function checkCount(name: string, value: number, max: number, atZero: string): Refusal | null {
  if (value === 0) return conflict(`${name} is 0: ${atZero}. It takes 1 to ${max}.`);
  if (Number.isSafeInteger(value) && value > 0 && value <= max) return null;
  return conflict(`${name} is ${value}, but it takes a whole number from 1 to ${max}.`);
}

function conflict(message: string): Refusal {
  return refused('caps_conflict', message);
}
