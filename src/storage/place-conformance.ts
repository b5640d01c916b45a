/** What every place promises, run against each of them; see `src/ports/place.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import type { ErrorCode } from '../core/base/errors.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { Place } from '../ports/place.ts';

export interface PlaceUnderTest extends AsyncDisposable {
  readonly place: Place;
  /** Location of an empty folder of this test's own, with a slash at the end. */
  readonly root: string;
  /** Puts an object there, past the place. */
  put(name: string, bytes: Uint8Array): Promise<void>;
}

export interface PlaceSuite {
  readonly name: string;
  readonly create: () => Promise<PlaceUnderTest>;
  readonly readOnly: boolean;
  readonly lists: boolean;
  /** Objects of a listing that takes more than one page. 2,300; less where putting them takes long. */
  readonly manyObjects?: number;
  /** Why none of it can run here; false where it can. */
  readonly skip: string | false;
}

const NONE = { pinnedTag: 0, pinnedBytes: -1 };

export function describePlace({
  name,
  create,
  readOnly,
  lists,
  manyObjects = 2_300,
  skip,
}: PlaceSuite): void {
  const listing = skip === false && !lists ? 'it is not listed' : skip;
  const writing = skip === false && readOnly ? 'it is only read from' : skip;

  void test(
    `${name}: a range goes to its targets in order, and gaps nowhere`,
    { skip },
    async () => {
      await using under = await create();
      const bytes = pattern(300_000);
      await under.put('a/object.bin', bytes);
      const first = new Uint8Array(200_000);
      const second = new Uint8Array(10);
      const targets = [
        { bytes: first.length, into: first },
        { bytes: 70_000, into: null },
        { bytes: second.length, into: second },
      ];
      const range = { start: 100, end: 270_110, targets, ...NONE };
      const stat = await under.place.readRange(`${under.root}a/object.bin`, range);
      assert.equal(stat.bytes, bytes.length);
      assert.deepEqual(Buffer.compare(first, bytes.subarray(100, 200_100)), 0);
      assert.deepEqual(second, bytes.subarray(270_100, 270_110));
    },
  );

  void test(`${name}: many ranges at a time are all right`, { skip }, async () => {
    await using under = await create();
    const bytes = pattern(4_000_000);
    await under.put('large.bin', bytes);
    const into = new Uint8Array(bytes.length);
    const step = 61_111;
    const reads = [];
    for (let start = 0; start < bytes.length; start += step) {
      const end = Math.min(bytes.length, start + step);
      const targets = [{ bytes: end - start, into: into.subarray(start, end) }];
      reads.push(under.place.readRange(`${under.root}large.bin`, { start, end, targets, ...NONE }));
    }
    await Promise.all(reads);
    assert.equal(Buffer.compare(into, bytes), 0);
  });

  void test(
    `${name}: an object that is not there is object_missing, by stat and by range`,
    { skip },
    async () => {
      await using under = await create();
      const location = `${under.root}nothing.bin`;
      await rejects('object_missing', under.place.stat(location), location);
      await rejects('object_missing', readAll(under.place, location, 5), location);
    },
  );

  void test(
    `${name}: an object that was replaced is object_changed for who pinned it`,
    { skip },
    async () => {
      await using under = await create();
      const location = `${under.root}sample.bin`;
      await under.put('sample.bin', pattern(1000));
      const { bytes, etag } = await under.place.stat(location);
      const pins = { pinnedBytes: bytes, pinnedTag: etagTag(etag) };
      await readAll(under.place, location, 1000, pins);
      await under.put('sample.bin', pattern(1000).reverse());
      if (etag !== '')
        await rejects('object_changed', readAll(under.place, location, 1000, pins), location);
      await under.put('sample.bin', pattern(1001));
      await rejects('object_changed', readAll(under.place, location, 1000, pins), location);
      await under.put('sample.bin', pattern(999));
      await rejects('object_changed', readAll(under.place, location, 1000, pins), location);
    },
  );

  void test(`${name}: names are what they are`, { skip }, async () => {
    await using under = await create();
    for (const name of ['spa ce+plus.txt', 'ümläut&<x>\'".bin', 'per%20cent%41', '日本/語.bin']) {
      await under.put(name, Buffer.from(name));
      const read = await readAll(
        under.place,
        locationOf(under.root, name),
        Buffer.byteLength(name),
      );
      assert.equal(Buffer.from(read).toString(), name);
    }
  });

  void test(
    `${name}: a listing is in byte order, of the prefix only, and goes on after any object`,
    { skip: listing },
    async () => {
      await using under = await create();
      const names = ['b', 'a/2', 'a/10', 'a-b', 'aé', 'a b+c&<.txt', 'a/sub/x', 'zz'];
      for (const name of names) await under.put(name, Buffer.from(name));
      const all = await listed(under.place, under.root);
      const sorted = names.toSorted((one, other) =>
        Buffer.compare(Buffer.from(one), Buffer.from(other)),
      );
      assert.deepEqual(
        all,
        sorted.map((name) => `${under.root}${name}`),
      );
      assert.deepEqual(await listed(under.place, `${under.root}a/`), [
        `${under.root}a/10`,
        `${under.root}a/2`,
        `${under.root}a/sub/x`,
      ]);
      for (const [index, after] of all.entries()) {
        assert.deepEqual(await listed(under.place, under.root, after), all.slice(index + 1));
      }
      assert.deepEqual(await listed(under.place, `${under.root}none/`), []);
    },
  );

  void test(
    `${name}: a listing goes over many pages and tells sizes and ETags`,
    { skip: listing },
    async () => {
      await using under = await create();
      const count = manyObjects;
      // Enough in each folder for folders to be listed beside each other, where a place does that.
      const numbers = Array.from(
        { length: count },
        (_, index) => `${Math.floor(index / 300)}/${String(index).padStart(5, '0')}`,
      );
      for (let at = 0; at < count; at += 100) {
        await Promise.all(
          numbers
            .slice(at, at + 100)
            .map((number) => under.put(`n/${number}`, Buffer.from(number))),
        );
      }
      let seen = 0;
      for await (const page of under.place.list(`${under.root}n/`)) {
        for (const { location, bytes, etag } of page) {
          assert.equal(location, `${under.root}n/${numbers[seen]}`);
          assert.equal(bytes, 7);
          if (seen % 500 === 0) assert.equal(etag, (await under.place.stat(location)).etag);
          seen += 1;
        }
      }
      assert.equal(seen, count);
    },
  );

  void test(
    `${name}: an object is created once, and replaced only as the one it was`,
    { skip: writing },
    async () => {
      await using under = await create();
      const location = `${under.root}lock`;
      const first = await under.place.write(location, Buffer.from('first'), { type: 'create' });
      await rejects(
        'object_exists',
        under.place.write(location, Buffer.from('x'), { type: 'create' }),
        location,
      );
      const second = await under.place.write(location, Buffer.from('second'), {
        type: 'replace',
        etag: first.etag,
      });
      assert.notEqual(second.etag, first.etag);
      const late = under.place.write(location, Buffer.from('third'), {
        type: 'replace',
        etag: first.etag,
      });
      await rejects('object_changed', late, location);
      assert.equal(Buffer.from(await readAll(under.place, location, 6)).toString(), 'second');
      assert.deepEqual(await under.place.stat(location), second);
    },
  );

  void test(
    `${name}: of many who create one object at a time one wins`,
    { skip: writing },
    async () => {
      await using under = await create();
      const location = `${under.root}race`;
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          under.place.write(location, Buffer.from(`writer ${index}`), { type: 'create' }),
        ),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    },
  );

  void test(
    `${name}: an upload in parts is seen when it is complete, and leaves nothing when aborted`,
    { skip: writing },
    async () => {
      await using under = await create();
      const location = `${under.root}parts.bin`;
      const part = pattern(5 * 1024 ** 2);
      const upload = await under.place.upload(location);
      await upload.add(part);
      await upload.add(part.subarray(0, 1234));
      await rejects('object_missing', under.place.stat(location), location);
      const stat = await upload.complete({ type: 'create' });
      assert.equal(stat.bytes, part.length + 1234);
      const read = await readAll(under.place, location, stat.bytes);
      assert.equal(Buffer.compare(read.subarray(part.length), part.subarray(0, 1234)), 0);
      const dropped = await under.place.upload(`${under.root}dropped.bin`);
      await dropped.add(part);
      await dropped.abort();
      assert.deepEqual(await listed(under.place, under.root), [location]);
    },
  );

  void test(
    `${name}: what is removed is gone, and removing it again is no error`,
    { skip: writing },
    async () => {
      await using under = await create();
      const location = `${under.root}gone`;
      await under.place.write(location, Buffer.from('x'), { type: 'any' });
      await under.place.remove(location);
      await under.place.remove(location);
      await rejects('object_missing', under.place.stat(location), location);
    },
  );

  void test(`${name}: who aborts hears of it at once`, { skip }, async () => {
    await using under = await create();
    await under.put('x.bin', pattern(1000));
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const targets = [{ bytes: 1000, into: new Uint8Array(1000) }];
    const range = { start: 0, end: 1000, targets, ...NONE };
    await assert.rejects(
      under.place.readRange(`${under.root}x.bin`, range, stop.signal),
      /stopped/,
    );
  });
}

/** A URL has its names encoded; a path and a key have not. */
function locationOf(root: string, name: string): string {
  return root.startsWith('http')
    ? `${root}${encodeURIComponent(name).replaceAll('%2F', '/')}`
    : `${root}${name}`;
}

function pattern(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

async function readAll(
  place: Place,
  location: string,
  bytes: number,
  pins: { readonly pinnedTag: number; readonly pinnedBytes: number } = NONE,
): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  await place.readRange(location, { start: 0, end: bytes, targets: [{ bytes, into }], ...pins });
  return into;
}

async function listed(place: Place, prefix: string, after?: string): Promise<readonly string[]> {
  const locations: string[] = [];
  for await (const page of place.list(prefix, { after })) {
    for (const { location } of page) locations.push(location);
  }
  return locations;
}

async function rejects(code: ErrorCode, work: Promise<unknown>, location: string): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof Mx8Error, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(location), error.message);
    return true;
  });
}
