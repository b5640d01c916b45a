/** What is unpacked and looked up in one go is what unpacking and then looking up gives. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { pickWords, placesOf } from './parquet-pick.ts';

interface Run {
  readonly isPacked: boolean;
  readonly places: readonly number[];
}

/** As Parquet has them: the bits of a place, then runs, and packed ones in groups of eight. */
function pageOf(width: number, runs: readonly Run[], isCut: boolean): Uint8Array {
  const bytes = [width];
  const varint = (value: number): void => {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
    bytes.push(rest);
  };
  for (const [index, { isPacked, places }] of runs.entries()) {
    if (!isPacked) {
      varint(places.length * 2);
      const [place = 0] = places;
      for (let shift = 0; shift < width; shift += 8) bytes.push((place >>> shift) & 0xff);
      continue;
    }
    const groups = Math.ceil(places.length / 8);
    varint(groups * 2 + 1);
    const packed = new Uint8Array(groups * width);
    for (const [at, place] of places.entries()) {
      for (let bit = 0; bit < width; bit += 1) {
        const to = at * width + bit;
        if (((place >>> bit) & 1) === 1) packed[to >> 3] = (packed[to >> 3] ?? 0) | (1 << (to & 7));
      }
    }
    // The last bytes may be left out where nothing lies in them.
    const isLast = isCut && index === runs.length - 1;
    bytes.push(...(isLast ? packed.subarray(0, Math.ceil((places.length * width) / 8)) : packed));
  }
  return Uint8Array.from(bytes);
}

const CASES = fc.integer({ min: 1, max: 32 }).chain((width) =>
  fc.integer({ min: 1, max: Math.min(5_000, 2 ** width) }).chain((known) => {
    const place = fc.nat(known - 1);
    const run = fc.oneof(
      fc.tuple(place, fc.integer({ min: 1, max: 300 })).map(([one, count]): Run => {
        return { isPacked: false, places: new Array<number>(count).fill(one) };
      }),
      // Whole groups, of which only the last may be shorter.
      fc.array(place, { minLength: 8, maxLength: 100 }).map((places): Run => {
        return { isPacked: true, places: places.slice(0, places.length & ~7) };
      }),
    );
    const last = fc.array(place, { minLength: 1, maxLength: 20 }).map((places): Run => {
      return { isPacked: true, places };
    });
    return fc.record({
      width: fc.constant(width),
      known: fc.constant(known),
      runs: fc.tuple(fc.array(run, { maxLength: 6 }), last).map(([all, end]) => [...all, end]),
      isCut: fc.boolean(),
      each: fc.constantFrom(1 as const, 2 as const),
    });
  }),
);

test('places of any width, in runs and packed, give the values of the dictionary', () => {
  fc.assert(
    fc.property(CASES, ({ width, known, runs, isCut, each }) => {
      const from = Int32Array.from({ length: known * each }, (_, word) => word * 0x1234567);
      const places = runs.flatMap((run) => run.places);
      const to = new Int32Array(places.length * each).fill(-1);
      const page = pageOf(width, runs, isCut);
      pickWords(placesOf(page, places.length), { from, known, each }, to);
      const expected = places.flatMap((place) => [
        ...from.subarray(place * each, (place + 1) * each),
      ]);
      assert.deepEqual([...to], expected);
    }),
    { numRuns: 300 },
  );
});

test('a place beyond the dictionary is refused, wherever it is and however it is written', () => {
  fc.assert(
    fc.property(
      CASES.filter(({ width, known }) => known < 2 ** width),
      fc.nat(),
      ({ width, known, runs, isCut, each }, seed) => {
        const from = new Int32Array(known * each);
        const count = runs.reduce((sum, { places }) => sum + places.length, 0);
        let left = seed % count;
        const wrong = runs.map(({ isPacked, places }): Run => {
          const at = left;
          left -= places.length;
          if (at < 0 || at >= places.length) return { isPacked, places };
          return { isPacked, places: isPacked ? places.with(at, known) : places.map(() => known) };
        });
        const page = pageOf(width, wrong, isCut);
        const to = new Int32Array(count * each);
        assert.throws(
          () => {
            pickWords(placesOf(page, count), { from, known, each }, to);
          },
          new RangeError(`a value at place ${known} of a dictionary of ${known}`),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('without bits all values are the first, and an empty dictionary has none', () => {
  const to = new Int32Array(3);
  pickWords(placesOf(Uint8Array.of(0), 3), { from: Int32Array.of(7), known: 1, each: 1 }, to);
  assert.deepEqual([...to], [7, 7, 7]);
  const none = { from: new Int32Array(0), known: 0, each: 1 as const };
  assert.throws(() => {
    pickWords(placesOf(Uint8Array.of(0), 3), none, to);
  }, /place 0 of a dictionary of 0/);
  pickWords(placesOf(new Uint8Array(0), 0), none, new Int32Array(0));
});
