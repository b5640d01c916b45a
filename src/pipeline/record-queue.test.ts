import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import type { SampleRecord } from '../core/manifest/record.ts';
import { RecordQueue, partOf } from './record-queue.ts';
import type { Stretch } from './record-queue.ts';

function chunk(start: number, end: number): SampleRecord[] {
  return Array.from({ length: end - start }, (_, index) => ({
    sampleId: start + index,
    location: `/d/${start + index}`,
    byteOffset: null,
    byteLength: null,
    decodeHint: '',
  }));
}

function idsOf(stretch: Stretch | null): readonly number[] {
  return stretch === null ? [] : [...stretch.table.sampleIds()];
}

async function next(queue: RecordQueue, count: number): Promise<Stretch | null> {
  await queue.fill(count);
  const stretch = queue.peek(count);
  if (stretch !== null) queue.take(stretch.table.length);
  return stretch;
}

test('batches run across chunks, empty ones too', async () => {
  const queue = new RecordQueue({ records: [chunk(0, 3), [], chunk(3, 4), chunk(4, 9)] });
  assert.deepEqual(idsOf(await next(queue, 5)), [0, 1, 2, 3, 4]);
  assert.equal(queue.position, 5);
  assert.deepEqual(idsOf(await next(queue, 5)), [5, 6, 7, 8]);
  assert.equal(await next(queue, 5), null);
  assert.equal(queue.pulledCount, 9);
});

test('where chunks end batches, none holds records of two, also after being put back', async () => {
  const queue = new RecordQueue({ records: [chunk(0, 3), chunk(3, 5)], cutAtChunks: true });
  const first = await next(queue, 2);
  const second = await next(queue, 2);
  assert.deepEqual([idsOf(first), idsOf(second)], [[0, 1], [2]]);
  assert.ok(first && second);
  queue.putBack([partOf(first, 1, 2), second]);
  assert.equal(queue.position, 1);
  assert.deepEqual(idsOf(await next(queue, 4)), [1, 2]);
  assert.deepEqual(idsOf(await next(queue, 4)), [3, 4]);
});

test('what is learned of sizes stays with the records, across chunks and when they come back', async () => {
  const queue = new RecordQueue({ records: [chunk(0, 2), chunk(2, 6)] });
  await queue.fill(4);
  queue.learn(Float64Array.of(10, 11, 12, 13));
  const stretch = await next(queue, 4);
  assert.deepEqual([...(stretch?.sizes ?? [])], [10, 11, 12, 13]);
  assert.ok(stretch);
  queue.putBack([partOf(stretch, 2, 4)]);
  const again = await next(queue, 4);
  assert.deepEqual(idsOf(again), [2, 3, 4, 5]);
  assert.deepEqual([...(again?.sizes ?? [])], [12, 13, -1, -1]);
});

test('records that come back end the waiting for a source that has none for now', async () => {
  const more = Promise.withResolvers<SampleRecord[]>();
  async function* source(): AsyncGenerator<SampleRecord[], void> {
    yield chunk(0, 3);
    yield await more.promise;
  }
  const queue = new RecordQueue({ records: source(), cutAtChunks: true });
  const first = await next(queue, 4);
  assert.ok(first);
  const waiting = next(queue, 4);
  queue.putBack([partOf(first, 1, 3)]);
  assert.deepEqual(idsOf(await waiting), [1, 2]);
  more.resolve(chunk(3, 5));
  assert.deepEqual(idsOf(await next(queue, 4)), [3, 4]);
  assert.equal(await next(queue, 4), null);
});

test('a source that fails while nobody waits is heard of by who asks next', async () => {
  const failing = Promise.withResolvers<SampleRecord[]>();
  async function* source(): AsyncGenerator<SampleRecord[], void> {
    yield chunk(0, 2);
    yield await failing.promise;
  }
  const queue = new RecordQueue({ records: source(), cutAtChunks: true });
  const first = await next(queue, 4);
  assert.ok(first);
  const waiting = next(queue, 4);
  queue.putBack([first]);
  assert.deepEqual(idsOf(await waiting), [0, 1]);
  failing.reject(new Error('the listing broke'));
  await assert.rejects(next(queue, 4), /the listing broke/);
  await queue.close();
});

test('records are asked for before a batch needs them, and only where that is wanted', async () => {
  for (const recordsAhead of [0, 3]) {
    const asked: number[] = [];
    async function* source(): AsyncGenerator<SampleRecord[], void> {
      for (let start = 0; start < 12; start += 4) {
        asked.push(start);
        yield chunk(start, start + 4);
      }
    }
    const queue = new RecordQueue({ records: source(), recordsAhead });
    await next(queue, 1);
    assert.deepEqual(asked, [0]);
    await next(queue, 1);
    await setImmediate();
    assert.deepEqual(asked, recordsAhead === 0 ? [0] : [0, 4], `${recordsAhead} ahead`);
    assert.equal(queue.isShort(3), recordsAhead === 0);
    await queue.close();
  }
});

test('what came before a failure that is known already is given first', async () => {
  async function* source(): AsyncGenerator<SampleRecord[], void> {
    yield chunk(0, 4);
    await setImmediate();
    throw new Error('the listing broke');
  }
  const queue = new RecordQueue({ records: source(), recordsAhead: 10 });
  assert.deepEqual(idsOf(await next(queue, 2)), [0, 1]);
  await setImmediate();
  await setImmediate();
  assert.deepEqual(idsOf(await next(queue, 2)), [2, 3]);
  await assert.rejects(next(queue, 2), /the listing broke/);
});
