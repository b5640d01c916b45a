import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import type { ObjectRange, ObjectStat, Place, Places } from '../ports/place.ts';
import { PlaceReader } from './place-reader.ts';
import type { ReadJob } from './read-job.ts';

/** Objects of a store in memory; `down` makes it give no answer at all. */
class MemoryPlaces implements Places {
  readonly objects: Map<string, Uint8Array> = new Map();
  readonly ranges: ObjectRange[] = [];
  isDown = false;

  writable(): null {
    return null;
  }

  of(): Place {
    return {
      stat: async (location) => this.#stat(location),
      readRange: async (location, range) => this.#read(location, range),
    } satisfies Partial<Place> as unknown as Place;
  }

  async close(): Promise<void> {
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.objects.clear();
  }

  #stat(location: string): ObjectStat {
    if (this.isDown) throw new Mx8Error('object_store_unavailable', `${location}: no answer`);
    const object = this.objects.get(location);
    if (object === undefined) throw new Mx8Error('object_missing', `${location} is not there`);
    return { bytes: object.length, etag: 'one' };
  }

  #read(location: string, range: ObjectRange): ObjectStat {
    const stat = this.#stat(location);
    this.ranges.push(range);
    let at = range.start;
    for (const { bytes, into } of range.targets) {
      into?.set(this.objects.get(location)?.subarray(at, at + bytes) ?? []);
      at += bytes;
    }
    return stat;
  }
}

function jobOf(samples: readonly (readonly [string, number, number])[], capBytes = 1000): ReadJob {
  return {
    locations: samples.map(([location]) => location),
    offsets: Float64Array.from(samples, ([, offset]) => offset),
    lengths: Float64Array.from(samples, ([, , length]) => length),
    startBytes: 4,
    targetBytes: capBytes / 2,
    capBytes,
  };
}

const [A, B, GONE, EMPTY, HUGE] = ['a', 'b', 'gone', 'empty', 'huge'].map(
  (key) => `s3://bucket/${key}`,
) as [string, string, string, string, string];

function places(): MemoryPlaces {
  const made = new MemoryPlaces();
  made.objects.set(
    A,
    Uint8Array.from({ length: 100 }, (_, index) => index),
  );
  made.objects.set(B, new Uint8Array(10).fill(200));
  made.objects.set(EMPTY, new Uint8Array(0));
  made.objects.set(HUGE, new Uint8Array(5000));
  return made;
}

test('samples that cannot be read leave no room, and the others follow each other', async () => {
  const reader = new PlaceReader(places());
  const job = jobOf([
    [A, 10, 5],
    [GONE, 0, 7],
    [A, 20, 5],
    [EMPTY, -1, -1],
    [HUGE, -1, -1],
    [GONE, -1, -1],
    [B, -1, 10],
  ]);
  const { slab, result } = await reader.fill(job, new ArrayBuffer(200));
  assert.deepEqual(Array.from(result?.sizes ?? []), [5, -1, 5, -1, -1, -1, 10]);
  assert.deepEqual(Array.from(new Uint8Array(slab, 4, 20)), [
    ...[10, 11, 12, 13, 14],
    ...[20, 21, 22, 23, 24],
    ...Array.from({ length: 10 }, () => 200),
  ]);
  assert.deepEqual(
    result?.failures.map(({ index, reason, error }) => [index, reason, error?.code ?? '']),
    [
      [1, 'place', 'object_missing'],
      [3, 'empty', ''],
      [4, 'too_large', ''],
      [5, 'place', 'object_missing'],
    ],
  );
  assert.equal(result?.done, 7);
  await reader.close();
});

test('neighbours are one range, and what does not fit ends the batch before it', async () => {
  const store = places();
  const reader = new PlaceReader(store);
  const near = await reader.fill(
    jobOf([
      [A, 0, 10],
      [A, 12, 10],
      [A, 22, 10],
    ]),
    new ArrayBuffer(100),
  );
  assert.equal(near.result?.done, 3);
  assert.deepEqual(
    store.ranges.map(({ start, end }) => [start, end]),
    [[0, 32]],
  );
  const tight = await reader.fill(
    jobOf([
      [A, 0, 10],
      [A, 10, 10],
    ]),
    new ArrayBuffer(20),
  );
  assert.equal(tight.result?.done, 1);
  assert.equal(tight.result?.nextBytes, 10);
  await reader.close();
});

test('a store that is down is no fault of a sample', async () => {
  const store = places();
  store.isDown = true;
  const reader = new PlaceReader(store);
  await assert.rejects(reader.fill(jobOf([[A, 0, 10]]), new ArrayBuffer(100)), {
    code: 'object_store_unavailable',
  });
  await reader.close();
});
