import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import type { SampleRecord } from '../../src/core/manifest/record.ts';
import { createReader } from '../../src/pipeline/index.ts';
import { READER_THREADS_MAX } from '../../src/pipeline/limits.ts';
import type { Pipeline, PipelineOptions, SampleBatch } from '../../src/pipeline/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { collectionWhileStalled } from '../../src/platform/collect-garbage.ts';
import { writeLooseFiles, writeShards } from '../support/data-files.ts';
import { openFilesBelow, readerThreadCount, until } from '../support/leftovers.ts';
import {
  assertDelivers,
  chunksOf,
  copied,
  drain,
  openOver,
  sizesOf,
} from '../support/pipeline-run.ts';
import type { Delivered } from '../support/pipeline-run.ts';

let root = '';

before(() => {
  root = mkdtempSync(join(tmpdir(), 'mx8-pipeline-'));
});

after(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Nothing of the pipeline is left: no descriptor, no thread, no permit. */
function assertNothingLeft(pipeline: Pipeline, threads: number): void {
  assert.deepEqual(openFilesBelow(root), []);
  // Threads that rested since an earlier reading may have ended meanwhile.
  assert.ok(readerThreadCount() <= threads);
  assert.equal(pipeline.stats().inflightBytes, 0);
}

test('packed records arrive in order, in batches of batch_size, contiguous', async () => {
  const samples = writeShards(
    join(root, 'packed'),
    sizesOf(50, (index) => 100 + index * 37),
    16,
  );
  const pipeline = openOver(samples);
  const batches = await drain(pipeline);
  assertDelivers(batches, samples);
  assert.deepEqual(
    batches.map(({ sampleIds }) => sampleIds.length),
    [...new Array<number>(12).fill(4), 2],
  );
  assert.equal(batches.at(-1)?.streamEnd, 50);
  assert.equal(pipeline.stats().deliveredSamples, 50);
  assertNothingLeft(pipeline, readerThreadCount());
});

test('loose files arrive in order with the classes of their hints', async () => {
  const samples = writeLooseFiles(
    join(root, 'loose'),
    sizesOf(45, (index) => 1 + index * 211),
  );
  const batches = await drain(openOver(samples));
  assertDelivers(batches, samples);
  assert.deepEqual(
    batches.flatMap(({ labelIds }) => labelIds),
    samples.map((_, index) => index % 3),
  );
});

test('files of wildly different sizes: batch ends depend on sizes only, not on guesses', async () => {
  const sizes = sizesOf(120, (index) => (index % 17 === 5 ? 40_000 : 10 + ((index * 7919) % 3000)));
  const loose = writeLooseFiles(join(root, 'wild'), sizes);
  const pinned = loose.map(({ record, bytes }) => ({
    bytes,
    record: { ...record, byteOffset: 0, byteLength: bytes.length },
  }));
  const options = { batchSize: 16, maxInflightBytes: 96 * 1024 };
  const guessed = await drain(openOver(loose, options));
  const exact = await drain(openOver(pinned, options));
  assertDelivers(guessed, loose);
  assert.deepEqual(
    guessed.map(({ sampleIds }) => sampleIds),
    exact.map(({ sampleIds }) => sampleIds),
  );
});

test('many small files are read by reader threads, which end with the pipeline', async () => {
  const samples = writeLooseFiles(
    join(root, 'many'),
    sizesOf(3000, (index) => 1 + (index % 200)),
  );
  const threadsBefore = readerThreadCount();
  const pipeline = openOver(samples, {
    batchSize: 50,
    records: chunksOf([...samples, ...samples], 500),
  });
  const batches: Delivered[] = [];
  let most = 0;
  for await (const batch of pipeline) {
    batches.push(copied(batch));
    most = Math.max(most, readerThreadCount());
    // The threads need a moment to start while the pool goes on reading.
    if (batches.length === 60) await until(() => readerThreadCount() > threadsBefore);
  }
  assertDelivers(batches, [...samples, ...samples]);
  assert.ok(most > threadsBefore, 'reader threads were started');
  assertNothingLeft(pipeline, threadsBefore);
});

test('with a clock reader threads serve the next reading too, and hold nothing open meanwhile', async () => {
  const files = writeLooseFiles(
    join(root, 'twice'),
    sizesOf(2000, (index) => 1 + (index % 200)),
  );
  const [shards] = writeShards(join(root, 'twice-packed'), [100], 1);
  assert.ok(shards);
  const samples = [...files, shards];
  const before = readerThreadCount();
  const read = async (): Promise<void> => {
    const options = { batchSize: 50, clock: nodeClock(), records: chunksOf(samples, 500) };
    const batches: Delivered[] = [];
    for await (const batch of openOver(samples, options)) {
      batches.push(copied(batch));
      if (batches.length === 30) await until(() => readerThreadCount() > before);
    }
    assertDelivers(batches, samples);
    assert.deepEqual(openFilesBelow(root), []);
  };
  for (let reading = 0; reading < 3; reading += 1) {
    await read();
    assert.ok(readerThreadCount() > before);
    assert.ok(readerThreadCount() <= before + READER_THREADS_MAX);
  }
});

test('the bytes in flight never pass the cap, and a consumer that holds on stops the reading', async () => {
  const samples = writeShards(
    join(root, 'capped'),
    sizesOf(200, () => 4000),
    50,
  );
  const cap = 64 * 1024;
  const pipeline = openOver(samples, {
    maxInflightBytes: cap,
    prefetchBatches: 50,
    maxQueueBatches: 50,
  });
  const held: SampleBatch[] = [];
  for await (const batch of pipeline) {
    held.push(batch);
    assert.ok(pipeline.stats().inflightBytes <= cap);
    if (held.length === 3) held.splice(0).forEach((other) => other.release());
  }
  held.forEach((batch) => batch.release());
  const { inflightBytesHighWater, inflightBytes } = pipeline.stats();
  assert.ok(inflightBytesHighWater <= cap && inflightBytesHighWater > cap / 2);
  assert.equal(inflightBytes, 0);
});

/** Batches of one sample, of which two and the queue's three are read ahead, and not one more. */
async function assertReadsTwoAhead(name: string, caps: Partial<PipelineOptions>): Promise<void> {
  const samples = writeShards(
    join(root, name),
    sizesOf(100, () => 100),
    100,
  );
  const pulled: number[] = [];
  function* counted(): Generator<SampleRecord[]> {
    for (const [index, { record }] of samples.entries()) {
      pulled.push(index);
      yield [record];
    }
  }
  const options = { records: counted(), batchSize: 1, maxQueueBatches: 3, ...caps };
  const pipeline = openOver(samples, options);
  let taken = 0;
  for await (const batch of pipeline) {
    taken += 1;
    await until(() => pipeline.stats().packQueueDepth === Math.min(3, 100 - taken));
    assert.ok(pulled.length <= taken + 5, `${pulled.length} pulled when ${taken} were taken`);
    batch.release();
  }
}

test('no more is read ahead than prefetch and queue allow', async () => {
  await assertReadsTwoAhead('ahead', { prefetchBatches: 2 });
});

test('no more is read ahead than the reader has a use for', async () => {
  const reader = createReader(8);
  Object.defineProperty(reader, 'jobsUseful', { value: 2 });
  await assertReadsTwoAhead('useful', { prefetchBatches: 8, reader });
  await reader.close();
});

test('caps that are lowered while it reads hold from the next batch on, and so do raised ones', async () => {
  const samples = writeShards(
    join(root, 'moved'),
    sizesOf(60, () => 100),
    100,
  );
  let [pulled, taken] = [0, 0];
  function* counted(): Generator<SampleRecord[]> {
    for (const { record } of samples) {
      pulled += 1;
      yield [record];
    }
  }
  // Ahead by 8 at first, by 2 in the middle, by 8 again at the end.
  const aheadNow = (): { prefetchBatches: number; maxQueueBatches: number } =>
    taken >= 20 && taken < 40
      ? { prefetchBatches: 1, maxQueueBatches: 1 }
      : { prefetchBatches: 4, maxQueueBatches: 4 };
  const caps = { prefetchBatches: 4, maxQueueBatches: 4 };
  const pipeline = openOver(samples, { records: counted(), batchSize: 1, ...caps, aheadNow });
  const aheadAt = new Map<number, number>();
  for await (const batch of pipeline) {
    taken += 1;
    const queued = Math.min(aheadNow().maxQueueBatches, 60 - taken);
    await until(() => pipeline.stats().packQueueDepth === queued);
    aheadAt.set(taken, pulled - taken);
    batch.release();
  }
  assert.equal(taken, 60);
  assert.ok((aheadAt.get(15) ?? 0) >= 4 && (aheadAt.get(15) ?? 0) <= 8);
  // What was ahead when they were lowered has been taken since.
  for (let at = 29; at < 40; at += 1) assert.ok((aheadAt.get(at) ?? 9) <= 2, `ahead at ${at}`);
  assert.ok((aheadAt.get(45) ?? 0) >= 4, String(aheadAt.get(45)));
});

test('after its release a batch refuses to be read and its old views are empty', async () => {
  const samples = writeShards(join(root, 'released'), [100, 100], 2);
  const pipeline = openOver(samples);
  for await (const batch of pipeline) {
    const view = batch.sample(1);
    assert.equal(view.length, 100);
    batch.release();
    batch.release();
    assert.equal(view.length, 0);
    for (const use of [() => batch.payload, () => batch.offsets, () => batch.sample(0)]) {
      assert.throws(use, { code: 'batch_released' });
    }
  }
});

test('a batch outlives its pipeline until it is released', async () => {
  const samples = writeShards(join(root, 'outlive'), [100], 1);
  const pipeline = openOver(samples);
  const kept: SampleBatch[] = [];
  for await (const batch of pipeline) kept.push(batch);
  assert.deepEqual(kept[0]?.sample(0), samples[0]?.bytes);
  kept[0]?.release();
  assert.equal(pipeline.stats().inflightBytes, 0);
});

test('batches that may be forgotten, and are, give their memory to those that wait', async () => {
  const samples = writeShards(
    join(root, 'forgotten'),
    sizesOf(60, () => 8000),
    60,
  );
  const onStall = collectionWhileStalled(nodeClock());
  const options = { maxInflightBytes: 80_000, batchSize: 4, onStall };
  let seen = 0;
  for await (const batch of openOver(samples, options)) {
    batch.watch();
    seen += batch.sampleCount;
  }
  assert.equal(seen, 60);
});

const ways: readonly (readonly [string, (pipeline: Pipeline) => Promise<void>])[] = [
  [
    'breaking out',
    async (pipeline) => {
      for await (const batch of pipeline) {
        batch.release();
        break;
      }
    },
  ],
  [
    'an error of the consumer',
    async (pipeline) => {
      const failing = async (): Promise<void> => {
        for await (const batch of pipeline) {
          batch.release();
          throw new Error('the consumer had enough');
        }
      };
      await assert.rejects(failing, /had enough/);
    },
  ],
  [
    'closing from outside',
    async (pipeline) => {
      const reading = async (): Promise<void> => {
        for await (const batch of pipeline) {
          batch.release();
          await pipeline.close();
        }
      };
      await assert.rejects(reading, { code: 'loader_closed' });
    },
  ],
  [
    'disposing of it unread',
    async (pipeline) => {
      await pipeline[Symbol.asyncDispose]();
    },
  ],
];

for (const [way, leave] of ways) {
  test(`${way} leaves no descriptor, no thread and no permit behind`, async () => {
    const threads = readerThreadCount();
    const samples = writeShards(
      join(root, 'left'),
      sizesOf(100, () => 1000),
      10,
    );
    let returned = false;
    async function* source(): AsyncGenerator<SampleRecord[]> {
      try {
        for (const chunk of chunksOf(samples, 3)) yield chunk;
      } finally {
        returned = true;
      }
    }
    const pipeline = openOver(samples, { records: source() });
    await leave(pipeline);
    assertNothingLeft(pipeline, threads);
    if (way !== 'disposing of it unread') assert.ok(returned, 'the source was told to stop');
  });
}

test('aborting ends a reading that waits, with the reason of the signal', async () => {
  const threads = readerThreadCount();
  const samples = writeLooseFiles(
    join(root, 'aborted'),
    sizesOf(20, () => 10),
  );
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<SampleRecord[]> {
    yield samples.map(({ record }) => record);
    await new Promise(() => undefined);
  }
  const pipeline = openOver(samples, {
    records: endless(),
    batchSize: 8,
    signal: controller.signal,
  });
  const reading = async (): Promise<void> => {
    for await (const batch of pipeline) {
      batch.release();
      setImmediate(() => controller.abort(new Error('enough for today')));
    }
  };
  await assert.rejects(reading, /enough for today/);
  assertNothingLeft(pipeline, threads);
});

test('an error of the source reaches the consumer and everything is let go', async () => {
  const samples = writeLooseFiles(
    join(root, 'source'),
    sizesOf(8, () => 10),
  );
  const threads = readerThreadCount();
  function* failing(): Generator<SampleRecord[]> {
    yield samples.map(({ record }) => record);
    throw new Error('the manifest is gone');
  }
  const pipeline = openOver(samples, { records: failing() });
  await assert.rejects(() => drain(pipeline), /the manifest is gone/);
  assertNothingLeft(pipeline, threads);
});

test('a pipeline can be gone through only once', async () => {
  const pipeline = openOver(writeShards(join(root, 'once'), [10], 1));
  await drain(pipeline);
  await assert.rejects(() => drain(pipeline), { code: 'loader_closed' });
});

test('batches keep within chunks where they are asked to', async () => {
  const samples = writeShards(
    join(root, 'chunks'),
    sizesOf(20, () => 10),
    20,
  );
  const batches = await drain(openOver(samples, { cutAtChunks: true }));
  assertDelivers(batches, samples);
  assert.deepEqual(
    batches.map(({ sampleIds }) => sampleIds.length),
    [4, 3, 4, 3, 4, 2],
  );
});

test('while memory is short one batch at a time is read', async () => {
  const samples = writeShards(
    join(root, 'gate'),
    sizesOf(40, () => 10),
    40,
  );
  const gate = { mayAdmit: () => false, subscribe: () => () => undefined };
  const pipeline = openOver(samples, { gate });
  let most = 0;
  const batches: Delivered[] = [];
  for await (const batch of pipeline) {
    const { fetchQueueDepth, decodeQueueDepth, packQueueDepth } = pipeline.stats();
    most = Math.max(most, fetchQueueDepth + decodeQueueDepth + packQueueDepth);
    batches.push(copied(batch));
  }
  assertDelivers(batches, samples);
  assert.ok(most <= 1, `${most} batches ahead`);
});

test('a reader that is lent serves several pipelines and stays open', async () => {
  const samples = writeShards(
    join(root, 'lent'),
    sizesOf(40, () => 100),
    10,
  );
  const reader = createReader(2);
  await drain(openOver(samples, { reader }));
  assert.notDeepEqual(openFilesBelow(root), [], 'its shards stay open');
  assertDelivers(await drain(openOver(samples, { reader })), samples);
  await reader.close();
  assert.deepEqual(openFilesBelow(root), []);
});

test('caps that cannot work are refused before anything is read', () => {
  assert.throws(() => openOver([], { prefetchBatches: 0 }), { code: 'caps_conflict' });
  assert.throws(() => openOver([], { batchSize: 8192, maxInflightBytes: 4096 }), {
    code: 'caps_conflict',
  });
});

test('a source that waits until its chunk is done with gets on when files are larger than guessed', async () => {
  const samples = writeLooseFiles(
    join(root, 'in-turn'),
    sizesOf(48, (index) => (index < 24 ? 20 : 200_000)),
  );
  let delivered = 0;
  let goOn = (): void => undefined;
  async function* leases(): AsyncGenerator<SampleRecord[], void> {
    for (const [index, lease] of [...chunksOf(samples, 8)].entries()) {
      while (delivered < index * 8) await new Promise<void>((resolve) => (goOn = resolve));
      yield lease;
    }
  }
  const pipeline = openOver(samples, {
    records: leases(),
    batchSize: 5,
    cutAtChunks: true,
    maxInflightBytes: 8 * 1024 ** 2,
    signal: AbortSignal.timeout(10_000),
  });
  const batches: Delivered[] = [];
  for await (const batch of pipeline) {
    delivered += batch.sampleCount;
    batches.push(copied(batch));
    goOn();
  }
  assertDelivers(batches, samples);
});
