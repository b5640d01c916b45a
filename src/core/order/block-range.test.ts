import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { blockOrder } from './block-order.ts';
import { blockCount, blockOf, blockRange, rangesInOrder } from './block-range.ts';

const layouts = fc.record({
  sampleCount: fc.integer({ min: 1, max: 300 }),
  blockSize: fc.integer({ min: 1, max: 40 }),
});

test('blocks cover every sample once, and each sample lies in its block', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      let next = 0;
      for (let block = 0; block < blockCount(layout); block += 1) {
        const { start, end } = blockRange(layout, block);
        assert.equal(start, next);
        assert.ok(end > start && end - start <= layout.blockSize);
        for (let id = start; id < end; id += 1) assert.equal(blockOf(layout, id), block);
        next = end;
      }
      assert.equal(next, layout.sampleCount);
    }),
  );
});

test('ranges in order, cut to a part, hold each of its samples once', () => {
  fc.assert(
    fc.property(layouts, fc.nat(300), fc.nat(300), (layout, a, b) => {
      const start = Math.min(a, b, layout.sampleCount);
      const end = Math.min(Math.max(a, b), layout.sampleCount);
      const order = blockOrder({ ...layout, shuffle: true, seed: 3n, epoch: 1 });
      const ids: number[] = [];
      for (const range of rangesInOrder(layout, order, { start, end })) {
        for (let id = range.start; id < range.end; id += 1) ids.push(id);
      }
      assert.deepEqual(
        ids.toSorted((x, y) => x - y),
        Array.from({ length: end - start }, (_, index) => start + index),
      );
    }),
  );
});

test('a block outside the data set is a bug', () => {
  assert.throws(() => blockRange({ sampleCount: 10, blockSize: 4 }, 3));
  assert.throws(() => blockOf({ sampleCount: 10, blockSize: 4 }, 10));
});
