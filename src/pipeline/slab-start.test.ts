import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SlabStart } from './slab-start.ts';

/** What a copy costs whose destination lies so many bytes beyond the start of the slab. */
type CostOf = (startBytes: number) => number;

/** Where reads start whose sample comes from the start of a sector, one after the other. */
function read(start: SlabStart, reads: number, costOf: CostOf): number[] {
  return Array.from({ length: reads }, () => {
    const at = start.startBytes(0);
    start.observe(costOf(at));
    return at;
  });
}

/** A processor that copies faster to odd multiples of 16, in a slab that begins so many bytes into a page. */
function oddIsFaster(slabBytes: number): CostOf {
  return (at) => ((at + slabBytes) % 32 === 16 ? 1 : 1.15);
}

for (const slabBytes of [0, 16, 272, 496]) {
  test(`a slab that begins ${slabBytes} bytes into a page finds where copies are fast`, () => {
    const start = new SlabStart();
    const costOf = oddIsFaster(slabBytes);
    read(start, 24, costOf);
    const costs = read(start, 200, costOf).map(costOf);
    assert.deepEqual([...new Set(costs)], [1]);
  });
}

test('one start of the right kind that lies too close to the source is not taken', () => {
  const start = new SlabStart();
  const costOf: CostOf = (at) => (at === 240 ? 2 : oddIsFaster(16 + 16)(at));
  read(start, 24, costOf);
  assert.deepEqual([...new Set(read(start, 200, costOf))], [336]);
});

test('where all starts are as good the first one is kept, and the others are tried less and less', () => {
  const start = new SlabStart();
  const seldom = read(start, 100_000, () => 1).filter((at) => at !== 240).length;
  assert.ok(seldom > 0 && seldom < 400, `${seldom} reads elsewhere`);
});

test('a read that is held up does not speak against its start', () => {
  const start = new SlabStart();
  let reads = 0;
  const costOf: CostOf = (at) => {
    reads += 1;
    return reads % 3 === 0 ? 50 : oddIsFaster(0)(at);
  };
  read(start, 24, costOf);
  assert.ok(read(start, 200, () => 1).every((at) => at === 240));
});

test('samples start as far from a sector as their source does, or a little further', () => {
  const start = new SlabStart();
  assert.equal(start.startBytes(-1), 240);
  assert.equal(start.startBytes(512), 240);
  assert.equal(start.startBytes(1025), 256);
  assert.equal(start.startBytes(400), (400 + 240) % 512);
});

test('a slab whose copies become slow elsewhere is tried again', () => {
  const start = new SlabStart();
  read(start, 2000, oddIsFaster(0));
  const other = oddIsFaster(16);
  read(start, 8000, other);
  assert.equal(other(start.startBytes(0)), 1);
});
