import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { BatchSizer, batchLimits } from './batch-sizer.ts';

/** Sizes of the batches that a stream of samples is cut into. */
function cut(sizes: readonly number[], batchSize: number, capBytes: number): number[][] {
  const limits = batchLimits(batchSize, capBytes);
  const batches: number[][] = [];
  for (let at = 0; at < sizes.length;) {
    const sizer = new BatchSizer(limits);
    while (at + sizer.count < sizes.length && sizer.take(sizes[at + sizer.count] ?? 0)) continue;
    batches.push(sizes.slice(at, at + sizer.count));
    at += sizer.count;
  }
  return batches;
}

test('a batch ends at batch_size samples', () => {
  assert.deepEqual(cut([1, 1, 1, 1, 1], 2, 4096), [[1, 1], [1, 1], [1]]);
});

test('a batch ends before the sample that would pass half of the cap', () => {
  assert.deepEqual(cut([1000, 1000, 1000, 48], 64, 4096), [
    [1000, 1000],
    [1000, 48],
  ]);
});

test('a sample between the target and the cap travels alone', () => {
  assert.deepEqual(cut([10, 4000, 10], 64, 4096), [[10], [4000], [10]]);
});

test('a sample larger than the cap keeps its place and adds no bytes', () => {
  assert.deepEqual(cut([10, 5000, 10], 64, 4096), [[10, 5000, 10]]);
});

test('cutting again from the end of any batch gives the same rest', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6000 }), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), (stream, batchSize) => {
      const batches = cut(stream, batchSize, 4096);
      let at = 0;
      for (const [index, batch] of batches.entries()) {
        at += batch.length;
        assert.deepEqual(cut(stream.slice(at), batchSize, 4096), batches.slice(index + 1));
      }
      assert.equal(at, stream.length);
    }),
  );
});
