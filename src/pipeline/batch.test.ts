import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { must } from '../core/base/assert.ts';
import { RecordTable } from '../core/manifest/record-table.ts';
import { SlabBatch } from './batch.ts';
import { SlabPool } from './slab-pool.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** A batch of one sample in a slab of its own. */
function batchIn(pool: SlabPool): SlabBatch {
  const slab = must(pool.takeNow(4096), 'there is room');
  const table = RecordTable.of([
    { sampleId: 0, location: '/d', byteOffset: 0, byteLength: 100, decodeHint: '' },
  ]);
  return new SlabBatch(pool, slab, {
    table,
    sizes: Float64Array.of(100),
    startBytes: 0,
    streamEnd: 1,
  });
}

async function collected(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    gc();
    await setTimeout(1);
  }
}

test('a batch that may be forgotten gives its memory back once, whether released or collected', async () => {
  const pool = new SlabPool(100_000, () => undefined);
  const release = (): void => {
    const batch = batchIn(pool);
    batch.watch();
    batch.release();
  };
  const forget = (): void => batchIn(pool).watch();
  release();
  // The slab again, whose memory was another object before.
  const held = batchIn(pool);
  const { heldBytes } = pool;
  await collected();
  assert.equal(pool.heldBytes, heldBytes, 'what was released is not given back again');
  assert.equal(held.payload.length, 100);
  forget();
  assert.ok(pool.heldBytes > heldBytes);
  await collected();
  assert.equal(pool.heldBytes, heldBytes, 'what was forgotten came back');
  held.release();
  assert.equal(pool.heldBytes, 0);
});

test('a batch that was released cannot be watched any more', () => {
  const pool = new SlabPool(100_000, () => undefined);
  const batch = batchIn(pool);
  batch.release();
  assert.throws(() => batch.watch(), { code: 'batch_released' });
});
