/**
 * Values of a dictionary by their places, which are runs and packed bits: unpacked and looked up in one go, as
 * places that are written down first take twice as long. Whether a place is one of the dictionary is asked once for
 * many: until then a wrong one gives 0.
 */
import { ByteReader, Runs, bitsAt } from './parquet-levels.ts';

/** The places of a page. */
export interface Places {
  readonly runs: Runs;
  readonly view: DataView;
  /** Bits of each. */
  readonly width: number;
  readonly count: number;
}

/** The first byte says how many bits each has; without any, all of them are the first. */
export function placesOf(page: Uint8Array, count: number): Places {
  const reader = new ByteReader(page);
  const width = count === 0 ? 0 : reader.uint8();
  return { runs: new Runs(reader, width), view: reader.view, width, count };
}

/** Words of 32 bits, `each` of them for a value, of a dictionary of `known` values. As whole numbers: what is no number keeps its bits. */
export function pickWords(
  places: Places,
  {
    from,
    known,
    each,
  }: { readonly from: Int32Array; readonly known: number; readonly each: 1 | 2 },
  to: Int32Array,
): void {
  const { runs, view, width, count } = places;
  if (width === 0) {
    if (count > 0) fill(0, 0, count, from, known, each, to);
    return;
  }
  for (let done = 0; done < count; done += runs.length) {
    runs.next(count - done);
    const { length } = runs;
    if (!runs.isPacked) {
      fill(runs.value, done, length, from, known, each, to);
      continue;
    }
    // A place of up to 25 bits lies in four bytes, wherever it begins; the last may have fewer behind them.
    const start = runs.at * 8;
    const readable = Math.max(0, Math.floor(((view.byteLength - 4) * 8 - start) / width));
    const fast = width > 25 ? 0 : Math.min(length, readable);
    const isRight =
      each === 1
        ? pickPacked(view, start, width, fast, known, from, to, done)
        : pickPackedPairs(view, start, width, fast, known, from, to, done);
    if (!isRight) throw wrongPlace(view, start, width, fast, known);
    for (let index = fast; index < length; index += 1) {
      fill(bitsAt(view, start + index * width, width), done + index, 1, from, known, each, to);
    }
  }
}

/** `count` times the same value, as value `at` on. */
function fill(
  place: number,
  at: number,
  count: number,
  from: Int32Array,
  known: number,
  each: 1 | 2,
  to: Int32Array,
): void {
  if (place >>> 0 >= known) throw notIn(place, known);
  const end = (at + count) * each;
  const low = from[place * each] as number;
  const high = from[place * each + each - 1] as number;
  for (let word = at * each; word < end; word += each) {
    to[word] = low;
    to[word + each - 1] = high;
  }
}

/** False: some place is beyond the dictionary. */
function pickPacked(
  view: DataView,
  start: number,
  width: number,
  count: number,
  known: number,
  from: Int32Array,
  to: Int32Array,
  first: number,
): boolean {
  const mask = (1 << width) - 1;
  const last = known - 1;
  let bit = start;
  let beyond = 0;
  let at = first;
  const end = first + count;
  // Two at a time where they lie in what one read gives.
  for (const pairs = width > 12 ? at : end - 1; at < pairs; at += 2) {
    const word = view.getInt32(bit >>> 3, true) >>> (bit & 7);
    const one = word & mask;
    const two = (word >>> width) & mask;
    beyond |= (last - one) | (last - two);
    to[at] = from[one] as number;
    to[at + 1] = from[two] as number;
    bit += 2 * width;
  }
  for (; at < end; at += 1) {
    const place = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask;
    beyond |= last - place;
    to[at] = from[place] as number;
    bit += width;
  }
  return beyond >= 0;
}

/** The same of values of two words. */
function pickPackedPairs(
  view: DataView,
  start: number,
  width: number,
  count: number,
  known: number,
  from: Int32Array,
  to: Int32Array,
  first: number,
): boolean {
  const mask = (1 << width) - 1;
  const last = known - 1;
  let bit = start;
  let beyond = 0;
  for (let at = first * 2, end = (first + count) * 2; at < end; at += 2) {
    const place = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask;
    beyond |= last - place;
    to[at] = from[place * 2] as number;
    to[at + 1] = from[place * 2 + 1] as number;
    bit += width;
  }
  return beyond >= 0;
}

/** Says the first of them. */
function wrongPlace(
  view: DataView,
  start: number,
  width: number,
  count: number,
  known: number,
): RangeError {
  for (let index = 0; index < count; index += 1) {
    const place = bitsAt(view, start + index * width, width);
    if (place >>> 0 >= known) return notIn(place, known);
  }
  return notIn(known, known);
}

export function notIn(place: number, known: number): RangeError {
  return new RangeError(`a value at place ${place >>> 0} of a dictionary of ${known}`);
}
