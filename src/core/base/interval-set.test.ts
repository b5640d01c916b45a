import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { IntervalSet } from './interval-set.ts';

const ranges = fc
  .tuple(fc.nat(40), fc.nat(12))
  .map(([start, length]) => ({ start, end: start + length }));

test('an interval set holds exactly the ids that were added, merged and in order', () => {
  fc.assert(
    fc.property(fc.array(ranges, { maxLength: 25 }), ranges, (added, probe) => {
      const twin = new Set<number>();
      const set = new IntervalSet();
      for (const { start, end } of added) {
        let fresh = 0;
        for (let id = start; id < end; id += 1) if (!twin.has(id)) fresh += 1;
        assert.equal(set.add(start, end), fresh);
        for (let id = start; id < end; id += 1) twin.add(id);
      }
      assert.equal(set.size, twin.size);
      let previousEnd = -1;
      const listed: number[] = [];
      for (const { start, end } of set) {
        assert(start > previousEnd && end > start, 'intervals neither touch nor are empty');
        previousEnd = end;
        for (let id = start; id < end; id += 1) listed.push(id);
      }
      assert.deepEqual(
        listed,
        [...twin].sort((a, b) => a - b),
      );
      const inProbe = listed.filter((id) => id >= probe.start && id < probe.end);
      assert.equal(set.countIn(probe.start, probe.end), inProbe.length);
      const gaps = set.gapsIn(probe.start, probe.end);
      const missing = gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
      assert.equal(missing + inProbe.length, probe.end - probe.start);
      for (const gap of gaps) assert.equal(set.countIn(gap.start, gap.end), 0);
      for (let id = 0; id < 55; id += 1) assert.equal(set.has(id), twin.has(id));
    }),
  );
});
