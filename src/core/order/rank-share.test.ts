import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { rangeLength } from '../base/range.ts';
import { rankShare } from './rank-share.ts';

test('the shares of all ranks follow each other, cover the order, and differ by one sample at most', () => {
  const total = fc.integer({ min: 0, max: 2 ** 48 });
  fc.assert(
    fc.property(total, fc.integer({ min: 1, max: 70 }), (samples, worldSize) => {
      const shares = Array.from({ length: worldSize }, (_, rank) =>
        rankShare(samples, rank, worldSize),
      );
      let next = 0;
      for (const { start, end } of shares) {
        assert.equal(start, next);
        next = end;
      }
      assert.equal(next, samples);
      const lengths = shares.map(rangeLength);
      assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1);
    }),
  );
});

test('the longer shares come first', () => {
  assert.deepEqual(
    [0, 1, 2].map((rank) => rankShare(7, rank, 3)),
    [
      { start: 0, end: 3 },
      { start: 3, end: 5 },
      { start: 5, end: 7 },
    ],
  );
});
