/** Pipelines whose consumer does nothing but wait, and so reads batches of shards itself. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { must } from '../../src/core/base/assert.ts';
import { monoMs } from '../../src/core/base/units.ts';
import type { MonoMs } from '../../src/core/base/units.ts';
import type { SampleRecord } from '../../src/core/manifest/record.ts';
import type { PipelineOptions, SampleBatch } from '../../src/pipeline/index.ts';
import { createReader } from '../../src/pipeline/index.ts';
import { TURN_MS } from '../../src/pipeline/limits.ts';
import type { SampleReader } from '../../src/storage/sample-reader.ts';

import { FakeClock } from '../../src/testing/fake-clock.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { writeLooseFiles, writeShards } from '../support/data-files.ts';
import type { Sample } from '../support/data-files.ts';
import { openFilesBelow, until } from '../support/leftovers.ts';
import { assertDelivers, chunksOf, copied, openOver, sizesOf } from '../support/pipeline-run.ts';
import type { Delivered } from '../support/pipeline-run.ts';

const SAMPLES = 1_200;
const PER_SHARD = 200;
/** What a read of the consumer's own takes where that counts. */
const READ_MS = 0.25;

/** A wake-up that is missing makes a reading wait for ever: that shall be told as a failure. */
const HANGS = { timeout: 60_000 } as const;

let root = '';

before(() => {
  root = mkdtempSync(join(tmpdir(), 'mx8-own-reads-'));
});

after(() => {
  rmSync(root, { recursive: true, force: true });
});

function samplesIn(name: string): Sample[] {
  const sizes = sizesOf(SAMPLES, (index) => 50 + (index % 60));
  return writeShards(join(root, name), sizes, PER_SHARD);
}

/** Goes on by what is worked, and stands still otherwise. */
class WorkClock extends FakeClock {
  workedMs: number = 0;

  override nowMs(): MonoMs {
    return monoMs(this.workedMs);
  }
}

/**
 * By a clock that stands still every read is short and every consumer quick, however busy the machine is. By
 * one on which only reads of the consumer's own take time it is better that others read beside it.
 */
const CLOCKS = { alone: FakeClock, shared: WorkClock } as const;
const WAYS = ['alone', 'shared'] as const;

interface Counted {
  readonly reader: SampleReader;
  /** Batches that the consumer read itself. */
  readonly own: () => number;
  /** Batches that others read beside it. */
  readonly beside: () => number;
  readonly options: Partial<PipelineOptions>;
}

function countedReader(way: (typeof WAYS)[number], batchesAhead: number = 3): Counted {
  const clock = new CLOCKS[way]();
  const reader = createReader(batchesAhead, clock);
  let own = 0;
  let beside = 0;
  const fillNow = reader.fillNow.bind(reader);
  reader.fillNow = (job, slab) => {
    const result = fillNow(job, slab);
    if (result === null) return null;
    own += 1;
    if (clock instanceof WorkClock) clock.workedMs += READ_MS;
    return result;
  };
  const fillBeside = reader.fillBeside.bind(reader);
  reader.fillBeside = (jobs) => {
    beside += jobs.length;
    return fillBeside(jobs);
  };
  const options = { reader, clock, prefetchBatches: batchesAhead };
  return { reader, own: () => own, beside: () => beside, options };
}

/** The same samples again, so that the shards are open and reads of them known to be short. */
function twice(samples: readonly Sample[]): Sample[] {
  return [...samples, ...samples];
}

test('a consumer that does nothing but wait reads batches itself, and gets each sample in its place', async () => {
  const samples = twice(samplesIn('whole'));
  const { reader, own, options } = countedReader('alone');
  const batches: Delivered[] = [];
  for await (const batch of openOver(samples, options)) batches.push(copied(batch));
  assertDelivers(batches, samples);
  assert.ok(own() > 0, 'it read some');
  assert.equal(batches.at(-1)?.streamEnd, samples.length);
  await reader.close();
});

test('where it is faster others read beside the consumer, and each sample is in its place', async () => {
  const samples = twice(samplesIn('beside'));
  for (const batchesAhead of [2, 3, 6]) {
    for (const chunk of [3, 100, 700]) {
      const { reader, own, beside, options } = countedReader('shared', batchesAhead);
      const batches: Delivered[] = [];
      const pipeline = openOver(samples, { ...options, records: chunksOf(samples, chunk) });
      for await (const batch of pipeline) batches.push(copied(batch));
      assertDelivers(batches, samples);
      assert.ok(own() > 100, `it read ${own()}`);
      // With so few records at a time there is no second batch to share.
      if (chunk > 4) assert.ok(beside() > 50, `others read ${beside()}`);
      assert.equal(pipeline.stats().inflightBytes, 0);
      await reader.close();
    }
  }
  assert.deepEqual(openFilesBelow(root), []);
});

test(
  'whatever a consumer does with its batches, and however little memory there is, all arrive',
  HANGS,
  async () => {
    const samples = twice(samplesIn('habits'));
    // With this seed the ninth round waits for ever if nobody is woken when a batch that got its memory is void.
    const random = seededRandom(99);
    const below = (limit: number): number => Math.floor(random.fraction() * limit);
    for (let round = 0; round < 12; round += 1) {
      const { reader, options } = countedReader('shared', 2 + below(4));
      // A slab of a small batch has 4 KiB: four of them, or more.
      const maxInflightBytes = (4 + below(8)) * 4096;
      const pipeline = openOver(samples, { ...options, maxInflightBytes, batchSize: 4 });
      const batches: Delivered[] = [];
      const kept: SampleBatch[] = [];
      let busyUntil = 0;
      for await (const batch of pipeline) {
        kept.push(batch);
        const keeps = below(20) === 0 ? 2 : 0;
        while (kept.length > keeps) batches.push(copied(must(kept.shift(), 'there is one')));
        if (below(100) === 0) busyUntil = batches.length + below(30);
        if (batches.length < busyUntil) await new Promise((resolve) => setImmediate(resolve));
      }
      batches.push(...kept.map(copied));
      assertDelivers(batches, samples);
      const { inflightBytes, inflightBytesHighWater } = pipeline.stats();
      assert.equal(inflightBytes, 0);
      assert.ok(inflightBytesHighWater <= maxInflightBytes);
      await reader.close();
    }
    assert.deepEqual(openFilesBelow(root), []);
  },
);

test('one batch ahead leaves nothing for others to read beside the consumer', async () => {
  const samples = twice(samplesIn('one-ahead'));
  const { reader, own, beside, options } = countedReader('shared', 1);
  const batches: Delivered[] = [];
  for await (const batch of openOver(samples, options)) batches.push(copied(batch));
  assertDelivers(batches, samples);
  assert.equal(beside(), 0);
  assert.ok(own() > 100);
  await reader.close();
});

test('for one that is away while the event loop turns batches are read ahead', async () => {
  const samples = samplesIn('away');
  const { reader, own, options } = countedReader('alone');
  const batches: Delivered[] = [];
  for await (const batch of openOver(samples, options)) {
    batches.push(copied(batch));
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  assertDelivers(batches, samples);
  assert.ok(own() * 2 < batches.length, `${own()} of ${batches.length} were not`);
  await reader.close();
});

for (const way of WAYS) {
  test(`batches that the consumer keeps count for the cap, also those that it read itself: ${way}`, async () => {
    const samples = twice(samplesIn(`kept-${way}`));
    const { reader, own, options } = countedReader(way);
    const maxInflightBytes = 64 * 1024;
    const pipeline = openOver(samples, { ...options, maxInflightBytes });
    const batches: Delivered[] = [];
    let kept: SampleBatch[] = [];
    for await (const batch of pipeline) {
      kept.push(batch);
      if (kept.length < 5) continue;
      batches.push(...kept.map(copied));
      kept = [];
    }
    batches.push(...kept.map(copied));
    assertDelivers(batches, samples);
    assert.ok(own() > 0, 'it read some');
    assert.ok(pipeline.stats().inflightBytesHighWater <= maxInflightBytes);
    assert.equal(pipeline.stats().inflightBytes, 0);
    await reader.close();
  });
}

for (const way of WAYS) {
  test(`a sample that was cut off is named, and where it is skipped all others arrive: ${way}`, async () => {
    const all = samplesIn(`cut-${way}`);
    const last = all[PER_SHARD - 1]?.record;
    assert.ok(last);
    truncateSync(last.location, (last.byteOffset ?? 0) + 3);
    const samples = twice(all);
    const { reader, options } = countedReader(way);
    const drained = async (more: Partial<PipelineOptions>): Promise<Delivered[]> => {
      const batches: Delivered[] = [];
      for await (const batch of openOver(samples, { ...options, ...more }))
        batches.push(copied(batch));
      return batches;
    };
    await assert.rejects(() => drained({}), {
      code: 'sample_changed',
      message: new RegExp(`^Sample ${last.sampleId} in ${last.location} `),
    });
    const skipped: number[] = [];
    const batches = await drained({
      onSampleError: ({ sampleId }) => {
        skipped.push(sampleId);
        return 'skip';
      },
    });
    assert.deepEqual(skipped, [last.sampleId, last.sampleId]);
    assertDelivers(
      batches,
      samples.filter(({ record }) => record.sampleId !== last.sampleId),
    );
    await reader.close();
  });
}

for (const way of WAYS) {
  test(`cancelled while the consumer reads, it ends there and leaves nothing open: ${way}`, async () => {
    const samples = twice(samplesIn(`cancelled-${way}`));
    const { reader, own, options } = countedReader(way);
    const stop = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const batch of openOver(samples, { ...options, signal: stop.signal })) {
        batch.release();
        if (own() === 100) stop.abort(new Error('enough'));
      }
    };
    await assert.rejects(reading, { message: 'enough' });
    assert.equal(own(), 100);
    await reader.close();
    assert.deepEqual(openFilesBelow(root), []);
  });
}

test('timers have their turn while the consumer reads, also where each batch needs more records', async () => {
  const samples = twice(samplesIn('turns'));
  for (const chunk of [4, 8, 400]) {
    const clock = new WorkClock();
    const reader = createReader(3, clock);
    const fillNow = reader.fillNow.bind(reader);
    let own = 0;
    let ownInTurn = 0;
    let ownInTurnMax = 0;
    reader.fillNow = (job, slab) => {
      const result = fillNow(job, slab);
      if (result === null) return result;
      own += 1;
      ownInTurn += 1;
      ownInTurnMax = Math.max(ownInTurnMax, ownInTurn);
      clock.workedMs += READ_MS;
      return result;
    };
    let isOver = false;
    const count = (): void => {
      ownInTurn = 0;
      if (!isOver) setImmediate(count);
    };
    count();
    const records = chunksOf(samples, chunk);
    const batches: Delivered[] = [];
    const pipeline = openOver(samples, { reader, clock, records });
    for await (const batch of pipeline) batches.push(copied(batch));
    isOver = true;
    const { consumerWaitMs, backpressureWaitMs } = pipeline.stats();
    assert.equal(consumerWaitMs, own * READ_MS);
    assert.equal(backpressureWaitMs, 0, 'nobody waits for who reads');
    assertDelivers(batches, samples);
    await reader.close();
    assert.ok(own > 20, 'it read some');
    assert.ok(ownInTurnMax * READ_MS <= TURN_MS, `${ownInTurnMax} reads of its own in a turn`);
  }
});

test('of small files no more batches are in line than threads and a consumer that waits have a use for', async () => {
  const samples = writeLooseFiles(
    join(root, 'loose'),
    sizesOf(64, (index) => 20 + index),
  );
  function* again(): Generator<SampleRecord[]> {
    for (;;) yield samples.map(({ record }) => record);
  }
  const clock = new FakeClock();
  const reader = createReader(12, clock);
  const options = { reader, clock, batchSize: 8, prefetchBatches: 12, records: again() };
  const pipeline = openOver(samples, options);
  let taken = 0;
  const take = async (): Promise<void> => {
    const batch = await pipeline.take();
    const expected = samples.slice((taken * 8) % 64).slice(0, 8);
    const bytes = Buffer.concat(expected.map((sample) => sample.bytes));
    assert.deepEqual(Buffer.from(batch?.payload ?? []), bytes);
    batch?.release();
    taken += 1;
  };
  // Until the threads have started, and what was in line before is delivered.
  for (let few = 0; few < 24; few = reader.jobsUseful < 12 ? few + 1 : 0) {
    await take();
    if (taken % 24 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (few > 12) assert.ok(pipeline.stats().fetchQueueDepth <= reader.jobsUseful);
  }
  // One that waits for nothing, as all is read when it comes back, is soon read ahead for as far as it asked.
  while (reader.jobsUseful < 12) {
    await until(() => {
      const { fetchQueueDepth, packQueueDepth } = pipeline.stats();
      return fetchQueueDepth === 0 && packQueueDepth > 0;
    });
    await take();
  }
  await pipeline.close();
  await reader.close();
  assert.deepEqual(openFilesBelow(root), []);
});
