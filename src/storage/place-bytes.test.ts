import assert from 'node:assert/strict';
import test from 'node:test';

import { etagTag } from '../core/transfer/etag-tag.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { ObjectRange, ObjectStat, Place, Places } from '../ports/place.ts';
import { AHEAD_BYTES_MAX } from './forward-run.ts';
import { PlaceBytes } from './place-bytes.ts';

const MIB = 1024 * 1024;

/** A store of one object, that counts what it is asked for. */
class MemoryPlaces implements Places {
  object: Uint8Array;
  etag = 'one';
  stats = 0;
  readonly ranges: (readonly [number, number])[] = [];
  inFlight = 0;
  inFlightMax = 0;

  constructor(bytes: number) {
    const words = Uint32Array.from({ length: 4096 }, (_, at) => Math.imul(at + 1, 2654435761));
    this.object = new Uint8Array(Buffer.alloc(bytes, new Uint8Array(words.buffer)));
    for (let at = 0; at < bytes; at += 16_384) this.object[at] = at >> 14;
  }

  writable(): null {
    return null;
  }

  of(): Place {
    const unused = (): never => assert.fail('not asked for');
    return {
      list: unused,
      stat: async (location) => {
        this.stats += 1;
        if (location !== 's3://b/x') throw new Mx8Error('object_missing', `${location}: 404`);
        return this.#stat();
      },
      readRange: (_, range, signal) => this.#read(range, signal),
      write: unused,
      upload: unused,
      remove: unused,
      close: unused,
    };
  }

  async #read(range: ObjectRange, signal: AbortSignal | undefined): Promise<ObjectStat> {
    const { start, end, targets, pinnedTag } = range;
    this.ranges.push([start, end]);
    this.inFlight += end - start;
    this.inFlightMax = Math.max(this.inFlight, this.inFlightMax);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight -= end - start;
    signal?.throwIfAborted();
    if (pinnedTag !== etagTag(this.etag)) throw new Mx8Error('object_changed', 'another ETag');
    targets[0]?.into?.set(this.object.subarray(start, end));
    return this.#stat();
  }

  #stat(): ObjectStat {
    return { bytes: this.object.length, etag: this.etag };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function opened(places: MemoryPlaces): PlaceBytes {
  return new PlaceBytes(() => places);
}

async function readAt(source: PlaceBytes, position: number, bytes: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  const got = await source.read('s3://b/x', position, into);
  return into.subarray(0, got);
}

test('an object read forwards in small pieces costs few ranges, each byte once, within the limit', async () => {
  const places = new MemoryPlaces(40 * MIB + 77);
  const source = opened(places);
  for (let at = 0; at < places.object.length; at += 100_000) {
    const expected = places.object.subarray(at, at + 100_000);
    assert.equal(Buffer.compare(await readAt(source, at, 100_000), expected), 0);
  }
  assert.equal((await readAt(source, places.object.length, 10)).length, 0);
  assert.ok(places.ranges.length < 60, `${places.ranges.length} ranges`);
  const asked = places.ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  assert.equal(asked, places.object.length);
  assert.ok(places.inFlightMax > 2 * MIB && places.inFlightMax <= AHEAD_BYTES_MAX);
  assert.equal(places.stats, 1);
});

test('a single small read asks for a quarter of a MiB, and another far away does not read on', async () => {
  const places = new MemoryPlaces(20 * MIB);
  const source = opened(places);
  assert.deepEqual(await readAt(source, 5 * MIB, 8), places.object.subarray(5 * MIB, 5 * MIB + 8));
  await readAt(source, 15 * MIB, 8);
  await readAt(source, 0, 8);
  assert.deepEqual(
    places.ranges.map(([start, end]) => [start, end - start]),
    [5, 15, 0].map((start) => [start * MIB, MIB / 4]),
  );
});

test('a large read travels in parts beside each other, and so do reads at the same time', async () => {
  const places = new MemoryPlaces(30 * MIB);
  const source = opened(places);
  const [large, ...small] = await Promise.all([
    readAt(source, MIB, 20 * MIB),
    ...[3, 25, 12].map((at) => readAt(source, at * MIB, 1000)),
  ]);
  assert.equal(Buffer.compare(large, places.object.subarray(MIB, 21 * MIB)), 0);
  for (const [index, at] of [3, 25, 12].entries()) {
    const expected = places.object.subarray(at * MIB, at * MIB + 1000);
    assert.equal(Buffer.compare(small[index] ?? expected, expected), 0);
  }
  assert.ok(places.inFlightMax > 20 * MIB);
});

test('all reads are of one and the same object, and of the one that was pinned', async () => {
  const places = new MemoryPlaces(20 * MIB);
  const source = opened(places);
  source.expect('s3://b/x', etagTag('one'));
  await readAt(source, 0, 10);
  places.etag = 'two';
  await assert.rejects(readAt(source, 10 * MIB, 10), { code: 'object_changed' });
  source.expect('s3://b/x', etagTag('one and a half'));
  await assert.rejects(readAt(source, 0, 10), { code: 'object_changed', message: /@refresh/ });
  source.expect('s3://b/x', etagTag('two'));
  assert.equal((await readAt(source, 0, 10)).length, 10);
  assert.deepEqual(await source.stampOf('s3://b/x'), { bytes: -1, mtimeMs: etagTag('two') });
});

test('an object that is not there is asked for once, however many samples it has', async () => {
  const places = new MemoryPlaces(MIB);
  const source = opened(places);
  for (let sample = 0; sample < 5; sample += 1) {
    await assert.rejects(source.sizeOf('s3://b/gone'), { code: 'object_missing' });
  }
  assert.equal(places.stats, 1);
});

test('a read that is left, by its signal or by closing, fails and leaves nothing under way', async () => {
  const places = new MemoryPlaces(20 * MIB);
  const source = opened(places);
  const stop = new AbortController();
  const reading = source.read('s3://b/x', 0, new Uint8Array(10), stop.signal);
  await source.sizeOf('s3://b/x');
  stop.abort(new Error('left'));
  await assert.rejects(reading, /left/);
  assert.equal((await readAt(source, 0, 10)).length, 10);
  const other = readAt(source, 10 * MIB, 10);
  await source.close();
  await assert.rejects(other, { code: 'interrupted' });
  assert.equal(places.inFlight, 0);
});
