import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Histogram, SECONDS_BOUNDS } from './histogram.ts';

test('a value counts at every bound at or above it', () => {
  const histogram = new Histogram([1, 2, 4]);
  for (const value of [0.5, 1, 1.5, 4, 9]) histogram.observe(value);
  assert.deepEqual(histogram.cumulative(), [2, 3, 4]);
  assert.deepEqual([histogram.count, histogram.sum], [5, 16]);
});

test('an empty histogram has every bound at zero', () => {
  const histogram = new Histogram(SECONDS_BOUNDS);
  assert.ok(histogram.cumulative().every((count) => count === 0));
  assert.equal(histogram.count, 0);
});

test('bounds that do not ascend are a mistake', () => {
  assert.throws(() => new Histogram([1, 1]), /bounds ascend/);
});
