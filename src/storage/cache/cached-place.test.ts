import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { CACHE_BLOCK_BYTES } from '../../core/transfer/cache-blocks.ts';
import type { ObjectRange, ObjectStat, Place } from '../../ports/place.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { RecordingEvents } from '../../testing/recording-events.ts';
import { CachedPlace } from './cached-place.ts';
import { cacheName, DiskCache } from './disk-cache.ts';
import { DISK_CACHE_BYTES_MIN } from './limits.ts';

const TAG = 77;
const KIB = 1024;

/** Objects whose bytes follow from their names; knows what it was asked for. */
class CountingStore implements Pick<Place, 'readRange'> {
  readonly sizes: Map<string, number>;
  asked: { readonly location: string; readonly start: number; readonly end: number }[] = [];

  constructor(sizes: Readonly<Record<string, number>>) {
    this.sizes = new Map(Object.entries(sizes));
  }

  async readRange(location: string, range: ObjectRange): Promise<ObjectStat> {
    const bytes = this.sizes.get(location) ?? 0;
    assert.ok(
      range.end <= bytes,
      `a range up to ${range.end} of ${bytes} bytes is refused by stores`,
    );
    this.asked.push({ location, start: range.start, end: range.end });
    let at = range.start;
    for (const target of range.targets) {
      target.into?.set(bytesOf(location, at, at + target.bytes));
      at += target.bytes;
    }
    assert.equal(at, range.end);
    return { bytes, etag: `of ${location}` };
  }

  get place(): Place {
    return this as unknown as Place;
  }
}

const SALTS = 8192;
const NOISE = randomFillSync(new Uint8Array(DISK_CACHE_BYTES_MIN + 1024 * KIB));

function bytesOf(location: string, start: number, end: number): Uint8Array {
  const salt = Buffer.from(location).reduce((sum, letter) => (sum * 31 + letter) % SALTS, 0);
  return NOISE.slice(start + salt, end + salt);
}

interface Bed extends AsyncDisposable {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly events: RecordingEvents;
  openCache(capBytes?: number): Promise<DiskCache>;
}

async function makeBed(): Promise<Bed> {
  const root = await mkdtemp(join(tmpdir(), 'mx8-cache-'));
  const folder = join(root, 'cache');
  const [clock, events] = [new FakeClock(), new RecordingEvents()];
  const opened: DiskCache[] = [];
  return {
    folder,
    clock,
    events,
    openCache: async (capBytes = DISK_CACHE_BYTES_MIN) => {
      const cache = await DiskCache.open({ folder, capBytes }, { clock, events });
      opened.push(cache);
      return cache;
    },
    [Symbol.asyncDispose]: async () => {
      for (const cache of opened) cache.close();
      await rm(root, { recursive: true });
    },
  };
}

/** Reads [start, end), the middle third of which nobody wants, and checks what is there. */
async function readAndCheck(
  place: Place,
  location: string,
  start: number,
  end: number,
  pinned: Partial<ObjectRange> = {},
): Promise<ObjectStat> {
  const into = new Uint8Array(end - start);
  const third = Math.floor(into.length / 3);
  const targets = [
    { bytes: third, into: into.subarray(0, third) },
    { bytes: third, into: null },
    { bytes: into.length - 2 * third, into: into.subarray(2 * third) },
  ];
  const range = { start, end, targets, pinnedTag: TAG, pinnedBytes: -1, ...pinned };
  const object = await place.readRange(location, range);
  const expected = bytesOf(location, start, end);
  expected.fill(0, third, 2 * third);
  assert.ok(Buffer.compare(into, expected) === 0, `[${start}, ${end}) of ${location}`);
  return object;
}

test('whatever ranges are read, in whatever order, their bytes are those of the object', async () => {
  await using bed = await makeBed();
  const cache = await bed.openCache();
  let run = 0;
  const bytes = 5 * CACHE_BLOCK_BYTES + 1234;
  const edge = fc.oneof(
    fc.integer({ min: 0, max: bytes }),
    fc.integer({ min: 0, max: 5 }).map((block) => block * CACHE_BLOCK_BYTES),
    fc.constant(bytes),
  );
  const range = fc.tuple(edge, edge, fc.boolean());
  await fc.assert(
    fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 8 }), async (ranges) => {
      run += 1;
      const location = `s3://bucket/object-${run}`;
      const store = new CountingStore({ [location]: bytes });
      const place = new CachedPlace(store.place, async () => cache);
      for (const [one, other, knowsSize] of ranges) {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        const object = await readAndCheck(place, location, start, end, {
          pinnedBytes: knowsSize ? bytes : -1,
        });
        assert.deepEqual(object, { bytes, etag: `of ${location}` });
      }
    }),
    { numRuns: 60 },
  );
});

test('what was read once is not asked for again, by this process or another', async () => {
  await using bed = await makeBed();
  const location = 's3://bucket/shard.tar';
  const bytes = 900 * KIB;
  const store = new CountingStore({ [location]: bytes });
  const first = new CachedPlace(store.place, () => bed.openCache());
  await readAndCheck(first, location, 100, 300 * KIB);
  await readAndCheck(first, location, 300 * KIB, bytes);
  const asked = store.asked.length;
  assert.equal(asked, 2);
  const second = new CachedPlace(store.place, () => bed.openCache());
  await readAndCheck(second, location, 100, 300 * KIB);
  await readAndCheck(second, location, 128 * KIB, 700 * KIB);
  await readAndCheck(second, location, 600 * KIB, bytes);
  assert.equal(store.asked.length, asked);
});

test('an object with other bytes is another one, and one that nobody pinned is not kept', async () => {
  await using bed = await makeBed();
  const location = 's3://bucket/a';
  const store = new CountingStore({ [location]: 10 * KIB });
  const place = new CachedPlace(store.place, () => bed.openCache());
  const pinnedBytes = 10 * KIB;
  await readAndCheck(place, location, 0, 10 * KIB, { pinnedTag: 1, pinnedBytes });
  await readAndCheck(place, location, 0, 10 * KIB, { pinnedTag: 1, pinnedBytes });
  assert.equal(store.asked.length, 1);
  await readAndCheck(place, location, 0, 10 * KIB, { pinnedTag: 2, pinnedBytes });
  assert.equal(store.asked.length, 2);
  await readAndCheck(place, location, 0, 10 * KIB, { pinnedTag: 0, pinnedBytes });
  await readAndCheck(place, location, 0, 10 * KIB, { pinnedTag: 0, pinnedBytes });
  assert.equal(store.asked.length, 4);
});

test('the folder never takes more than its cap, and what was used longest ago makes way', async () => {
  await using bed = await makeBed();
  const cache = await bed.openCache();
  const objectBytes = 3 * 1024 * KIB;
  const locations = Array.from({ length: 9 }, (_, index) => `s3://bucket/${index}`);
  const store = new CountingStore(Object.fromEntries(locations.map((each) => [each, objectBytes])));
  const place = new CachedPlace(store.place, async () => cache);
  for (const location of locations) {
    await bed.clock.advance(60_000);
    await readAndCheck(place, location, 0, objectBytes);
    // The first one is used all the time.
    await readAndCheck(place, locations[0] ?? '', 0, 100);
    assert.ok((await diskBytes(bed.folder)) <= DISK_CACHE_BYTES_MIN);
    assert.ok(cache.bytes <= DISK_CACHE_BYTES_MIN);
  }
  assert.ok((await diskBytes(bed.folder)) > DISK_CACHE_BYTES_MIN / 2);
  store.asked = [];
  await readAndCheck(place, locations[0] ?? '', 0, objectBytes);
  await readAndCheck(place, locations[8] ?? '', 0, objectBytes);
  assert.deepEqual(store.asked, []);
  await readAndCheck(place, locations[1] ?? '', 0, objectBytes);
  assert.equal(store.asked.length, 1);
});

test('many that keep and evict at a time leave no file for which nobody has taken room', async () => {
  await using bed = await makeBed();
  const caches = await Promise.all([bed.openCache(), bed.openCache(), bed.openCache()]);
  const object = { bytes: 1024 * KIB, etag: 'one' };
  const views = [NOISE.subarray(0, object.bytes)];
  const blocks = { start: 0, end: object.bytes / CACHE_BLOCK_BYTES };
  const names = Array.from({ length: 60 }, (_, index) => cacheName(`s3://bucket/${index}`, TAG));
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(
      names.flatMap((name) => caches.map((cache) => cache.keep(name, object, blocks, views))),
    );
    const taken = caches[0]?.bytes ?? 0;
    assert.ok(taken <= DISK_CACHE_BYTES_MIN);
    assert.ok((await diskBytes(bed.folder)) <= taken);
  }
  assert.deepEqual(bed.events.names(), []);
});

test('what is larger than the cap is read without being kept', async () => {
  await using bed = await makeBed();
  const bytes = DISK_CACHE_BYTES_MIN + 1;
  const store = new CountingStore({ 's3://bucket/large': bytes });
  const place = new CachedPlace(store.place, () => bed.openCache());
  await readAndCheck(place, 's3://bucket/large', 0, bytes);
  await readAndCheck(place, 's3://bucket/large', 0, bytes);
  assert.equal(store.asked.length, 2);
  assert.deepEqual(bed.events.names(), []);
});

test('a block that is damaged on the disk is read from the store again', async () => {
  await using bed = await makeBed();
  const location = 's3://bucket/a';
  const bytes = 200 * KIB;
  const store = new CountingStore({ [location]: bytes });
  const place = new CachedPlace(store.place, () => bed.openCache());
  await readAndCheck(place, location, 0, bytes);
  const file = await onlyFile(bed.folder);
  const damaged = await readFile(file);
  damaged[damaged.length - 5] = (damaged[damaged.length - 5] ?? 0) ^ 1;
  await writeFile(file, damaged);
  await readAndCheck(place, location, 0, 10 * KIB);
  assert.equal(store.asked.length, 1);
  await readAndCheck(place, location, 150 * KIB, bytes);
  assert.equal(store.asked.length, 2);
  await readAndCheck(place, location, 150 * KIB, bytes);
  assert.equal(store.asked.length, 2);
  await writeFile(file, 'cut short');
  await readAndCheck(place, location, 0, bytes);
  assert.equal(store.asked.length, 3);
});

test('a cache that cannot be written is left alone for a while, and said so once; reading goes on', async () => {
  await using bed = await makeBed();
  const cache = await bed.openCache();
  await writeFile(join(bed.folder, 'objects'), 'in the way');
  const store = new CountingStore({ 's3://bucket/a': 10 * KIB });
  const place = new CachedPlace(store.place, async () => cache);
  for (let round = 0; round < 3; round += 1)
    await readAndCheck(place, 's3://bucket/a', 0, 10 * KIB);
  assert.equal(store.asked.length, 3);
  assert.deepEqual(bed.events.names(), ['disk_cache_paused']);
  await rm(join(bed.folder, 'objects'));
  await bed.clock.advance(60_000);
  for (let round = 0; round < 3; round += 1)
    await readAndCheck(place, 's3://bucket/a', 0, 10 * KIB);
  assert.equal(store.asked.length, 4);
});

test('a folder with somebody’s files is refused and stays as it is', async () => {
  await using bed = await makeBed();
  await mkdir(bed.folder);
  await writeFile(join(bed.folder, 'thesis.tex'), 'the only copy');
  await assert.rejects(bed.openCache(), (error: Error) => {
    assert.match(error.message, /holds "thesis\.tex" and is no cache of mx8/);
    return true;
  });
  assert.deepEqual(await readdir(bed.folder), ['thesis.tex']);
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

/** What the copies take; the book of who has how much is a few pages beside them. */
async function diskBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const file of await filesBelow(join(folder, 'objects')))
    bytes += (await stat(file)).blocks * 512;
  return bytes;
}

async function onlyFile(folder: string): Promise<string> {
  const [file, ...others] = await filesBelow(join(folder, 'objects'));
  assert.ok(file !== undefined && others.length === 0);
  return file;
}
