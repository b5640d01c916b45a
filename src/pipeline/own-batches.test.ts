import assert from 'node:assert/strict';
import { test } from 'node:test';

import { monoMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import { batchLimits } from '../core/memory/batch-sizer.ts';
import type { ReadJob, ReadResult } from '../storage/read-job.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { Lineup } from './lineup.ts';
import { OwnBatches } from './own-batches.ts';
import { Planner } from './planner.ts';
import { RecordQueue } from './record-queue.ts';
import { SlabPool } from './slab-pool.ts';
import { WaitMeter } from './wait-meter.ts';

const SAMPLES = 1000;
const CAP_BYTES = 64 * 1024;

class SettableClock extends FakeClock {
  atMs: number = 0;

  override nowMs(): MonoMs {
    return monoMs(this.atMs);
  }
}

test('a slab that the consumer fills again and again learns from which start that is quick', async () => {
  const clock = new SettableClock();
  const starts: number[] = [];
  const fillNow = (job: ReadJob): ReadResult => {
    starts.push(job.startBytes);
    clock.atMs += job.startBytes === 352 ? 1 : 2;
    return { sizes: job.lengths, failures: [], done: job.lengths.length, nextBytes: 0 };
  };
  const reader = { fillNow } as unknown as SampleReader;
  const records = Array.from({ length: SAMPLES }, (_, sampleId) => ({
    sampleId,
    location: '/shard.tar',
    byteOffset: sampleId * 1024,
    byteLength: 512,
    decodeHint: '',
  }));
  const queue = new RecordQueue({ records: [records] });
  await queue.fill(SAMPLES);
  const planner = new Planner(queue, batchLimits(10, CAP_BYTES), reader, () => true);
  const slabs = new SlabPool(CAP_BYTES, () => undefined);
  const own = new OwnBatches({
    planner,
    lineup: new Lineup(),
    slabs,
    reader,
    wait: new WaitMeter(clock),
    cutBack: () => assert.fail('every batch is whole'),
    begun: () => assert.fail('nobody reads beside the consumer'),
  });
  for (let batch = 0; batch < SAMPLES / 10; batch += 1) {
    const slab = own.read()?.outcome?.slab ?? assert.fail('it is read here and now');
    slabs.release(slab);
  }
  assert.deepEqual(new Set(starts.slice(0, 24)), new Set([240, 224, 352, 336]));
  assert.deepEqual(new Set(starts.slice(24)), new Set([352]));
});
