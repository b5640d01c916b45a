/**
 * A set of sample ids kept as sorted, disjoint, non-touching half-open intervals. Additions are
 * O(log n) to find plus O(n) to insert in the middle and O(1) at the end; it is meant for sets that
 * stay short because neighbours merge.
 */
import { assert } from './assert.ts';
import type { SampleRange } from './range.ts';

export class IntervalSet {
  // starts[i] < ends[i] < starts[i + 1]
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #size = 0;

  static of(ranges: Iterable<SampleRange>): IntervalSet {
    const set = new IntervalSet();
    for (const range of ranges) set.add(range.start, range.end);
    return set;
  }

  /** Number of ids in the set. */
  get size(): number {
    return this.#size;
  }

  /** Number of intervals in the set. */
  get intervalCount(): number {
    return this.#starts.length;
  }

  /** Adds [start, end) and returns how many of its ids were not in the set before. */
  add(start: number, end: number): number {
    assert(start <= end, () => `a range starts before it ends: [${start}, ${end})`);
    if (start === end) return 0;
    const from = firstAtLeast(this.#ends, start);
    let to = from;
    let mergedStart = start;
    let mergedEnd = end;
    let present = 0;
    while (to < this.#starts.length && at(this.#starts, to) <= end) {
      const oldStart = at(this.#starts, to);
      const oldEnd = at(this.#ends, to);
      present += Math.max(0, Math.min(oldEnd, end) - Math.max(oldStart, start));
      mergedStart = Math.min(mergedStart, oldStart);
      mergedEnd = Math.max(mergedEnd, oldEnd);
      to += 1;
    }
    if (to - from === 1) {
      // By far the most frequent: a cursor moves on.
      this.#starts[from] = mergedStart;
      this.#ends[from] = mergedEnd;
    } else {
      this.#starts.splice(from, to - from, mergedStart);
      this.#ends.splice(from, to - from, mergedEnd);
    }
    const added = end - start - present;
    this.#size += added;
    return added;
  }

  has(id: number): boolean {
    const index = firstAtLeast(this.#ends, id + 1);
    return index < this.#starts.length && at(this.#starts, index) <= id;
  }

  /** How many ids of [start, end) are in the set. */
  countIn(start: number, end: number): number {
    let count = 0;
    let index = firstAtLeast(this.#ends, start + 1);
    while (index < this.#starts.length && at(this.#starts, index) < end) {
      count += Math.min(end, at(this.#ends, index)) - Math.max(start, at(this.#starts, index));
      index += 1;
    }
    return count;
  }

  /** The parts of [start, end) that are not in the set, in order. */
  gapsIn(start: number, end: number): SampleRange[] {
    const gaps: SampleRange[] = [];
    let from = start;
    let index = firstAtLeast(this.#ends, start + 1);
    while (from < end && index < this.#starts.length && at(this.#starts, index) < end) {
      const heldStart = at(this.#starts, index);
      if (heldStart > from) gaps.push({ start: from, end: heldStart });
      from = at(this.#ends, index);
      index += 1;
    }
    if (from < end) gaps.push({ start: from, end });
    return gaps;
  }

  *[Symbol.iterator](): IterableIterator<SampleRange> {
    for (let index = 0; index < this.#starts.length; index += 1) {
      yield { start: at(this.#starts, index), end: at(this.#ends, index) };
    }
  }
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  assert(value !== undefined, () => `index ${index} is inside the interval set`);
  return value;
}

/** The first index whose value is >= wanted, in an ascending list. */
function firstAtLeast(values: readonly number[], wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(values, middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
