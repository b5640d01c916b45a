import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE_MAX, runBlockSize } from './block-size.ts';

test('a block is whole batches, bounded, and there are enough of them for every worker', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000_000 }),
      fc.integer({ min: 1, max: 4096 }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 8 }),
      (sampleCount, batchSize, nodes, workersPerNode) => {
        const block = runBlockSize({ sampleCount, batchSize, nodes, workersPerNode });
        assert.equal(block % batchSize, 0);
        assert(block >= batchSize && block < BLOCK_SIZE_MAX + batchSize);
        const leases = Math.ceil(sampleCount / block);
        const batches = Math.ceil(sampleCount / batchSize);
        assert(leases >= Math.min(batches, nodes * workersPerNode), `${leases} leases`);
      },
    ),
  );
});

test('four thousand documents in batches of 64 on two nodes make leases of two batches', () => {
  const options = { sampleCount: 4000, batchSize: 64, nodes: 2, workersPerNode: 1 };
  assert.equal(runBlockSize(options), 128);
});
