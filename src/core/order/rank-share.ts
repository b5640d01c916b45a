/** Which part of an order one of several readers takes that nobody coordinates. */
import { assert } from '../base/assert.ts';
import type { SampleRange } from '../base/range.ts';

/**
 * Positions [start, end) of an order of `total` samples that rank `rank` of `worldSize` takes: one stretch for each, in
 * the order of the ranks, none longer than another by more than one sample.
 */
export function rankShare(total: number, rank: number, worldSize: number): SampleRange {
  assert(rank >= 0 && rank < worldSize, `rank ${rank} is one of ${worldSize}`);
  const even = Math.floor(total / worldSize);
  const longer = total % worldSize;
  const start = rank * even + Math.min(rank, longer);
  return { start, end: start + even + (rank < longer ? 1 : 0) };
}
