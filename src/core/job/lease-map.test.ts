import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { LeaseMap } from './lease-map.ts';

test('a range counts in every cell that it reaches into', () => {
  const map = new LeaseMap(100, 4);
  map.add('done', 10, 60);
  map.add('leased', 60, 65);
  map.add('stalled', 99, 100);
  assert.deepEqual(map.fractions(), [
    { done: 0.6, leased: 0, stalled: 0 },
    { done: 1, leased: 0, stalled: 0 },
    { done: 0.4, leased: 0.2, stalled: 0 },
    { done: 0, leased: 0, stalled: 0.04 },
  ]);
});

test('fewer samples than cells make a cell each', () => {
  const map = new LeaseMap(3, 240);
  map.add('done', 1, 2);
  assert.deepEqual(
    map.fractions().map(({ done }) => done),
    [0, 1, 0],
  );
});

test('all samples in ranges of any cut fill every cell once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.nat({ max: 4999 })),
      (samples, cells, cuts) => {
        const map = new LeaseMap(samples, cells);
        const at = [...new Set([0, ...cuts.filter((cut) => cut < samples), samples])];
        at.sort((a, b) => a - b);
        for (const [index, start] of at.slice(0, -1).entries()) {
          map.add('done', start, at[index + 1] ?? samples);
        }
        assert.ok(map.fractions().every(({ done }) => done === 1));
      },
    ),
  );
});
