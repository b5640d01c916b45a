import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { leaseId } from '../core/base/units.ts';
import { segmentsOf } from './segments.ts';

const LEASE = leaseId({ epoch: 1, seq: 1, index: 0 });

test('the segments of an order cover it in order, one at a time exactly where that is asked for', () => {
  const range = fc.tuple(fc.nat(50), fc.nat(50)).map(([start, length]) => ({
    start,
    end: start + length + 1,
  }));
  fc.assert(
    fc.property(range, fc.option(range), fc.integer({ min: 2, max: 9 }), (whole, singly, size) => {
      const order = { ...whole, singly, workId: 1, leaseId: LEASE, attempt: 0, poisoned: [] };
      let at = whole.start;
      for (const { start, end, batchSize, stageEach } of segmentsOf(order, size)) {
        assert.equal(start, at);
        assert(end > start);
        at = end;
        for (let id = start; id < end; id += 1) {
          const alone = singly !== null && id >= singly.start && id < singly.end;
          assert.equal(batchSize, alone ? 1 : size);
          if (alone) assert(stageEach);
        }
      }
      assert.equal(at, whole.end);
    }),
  );
});
