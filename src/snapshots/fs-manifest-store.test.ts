import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  open,
  readFile,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import test from 'node:test';

import { EagerClock } from '../../test/support/eager-clock.ts';
import {
  inChunks,
  manifestOf,
  recordsOf,
  rejectsWith,
  runManifestStoreSuite,
  sha256,
} from '../../test/support/manifest-store-suite.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { manifestHash } from '../core/base/units.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { nodeRandom } from '../platform/random.ts';
import { MemoryManifestStore } from '../testing/memory-manifest-store.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { TABLES_KEPT_BYTES_MAX } from './limits.ts';

function storeIn(root: string, events: RecordingEvents = new RecordingEvents()): FsManifestStore {
  return new FsManifestStore({
    root,
    clock: new EagerClock(),
    random: nodeRandom(),
    events,
  });
}

runManifestStoreSuite({
  name: 'file system',
  withStore: async (body) => {
    await using folder = await temporaryFolder();
    await body(storeIn(folder.join('store')));
    assert.deepEqual(await readdir(folder.join('store', 'tmp')).catch(() => []), []);
    assert.deepEqual(await readdir(folder.join('store', 'locks')).catch(() => []), []);
  },
});

runManifestStoreSuite({
  name: 'memory',
  withStore: (body) => body(new MemoryManifestStore()),
});

test('bytes that do not hash to their name are refused with both hashes', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { bytes } = manifestOf(2000);
  const { hash } = await store.put(inChunks(bytes, 4096));
  const path = folder.join('by-hash', hash);
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  await file.write(Buffer.from('/Data'), 0, 5, bytes.indexOf('/data'));
  await file.close();
  const error = await rejectsWith('manifest_corrupt', store.open(hash));
  assert.ok(error.message.includes(hash));
  assert.ok(error.message.includes(sha256(await readFile(path))));
  await appendFile(path, 'x');
  await rejectsWith('manifest_corrupt', store.open(hash));
});

test('damage is noticed although size and modification time are what they were', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { bytes } = manifestOf(100);
  const { hash } = await store.put(inChunks(bytes, 4096));
  const path = folder.join('by-hash', hash);
  const before = await stat(path);
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  await file.write(Buffer.from('X'), 0, 1, bytes.length - 10);
  await file.close();
  await utimes(path, before.atime, before.mtime);
  await rejectsWith('manifest_corrupt', store.open(hash));
});

test('an index that is missing, damaged or of another manifest is made again', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { bytes, records } = manifestOf(3000);
  const { hash } = await store.put(inChunks(bytes, 4096));
  const other = await store.put(inChunks(manifestOf(2999).bytes, 4096));
  const index = folder.join('index', hash);
  const good = await readFile(index);
  const damaged = Buffer.from(good);
  damaged.writeDoubleLE(40, good.length - 32 - 8);
  const foreign = await readFile(folder.join('index', other.hash));
  for (const bad of [null, Buffer.alloc(0), good.subarray(0, 100), damaged, foreign]) {
    await rm(index);
    if (bad !== null) await writeFile(index, bad);
    const reader = await store.open(hash);
    assert.deepEqual(await recordsOf(reader, 2040, 2060), records.slice(2040, 2060));
    await reader.close();
    assert.ok((await readFile(index)).equals(good));
  }
});

test('an index that cannot be saved is reported, and the manifest is served', async () => {
  await using folder = await temporaryFolder();
  const events: RecordingEvents = new RecordingEvents();
  const store = storeIn(folder.path, events);
  await writeFile(folder.join('index'), 'in the way');
  const { hash } = await store.put(inChunks(manifestOf(10).bytes, 4096));
  const reader = await store.open(hash);
  assert.equal(reader.sampleCount, 10);
  await reader.close();
  assert.deepEqual(new Set(events.names()), new Set(['manifest_index_not_saved']));
});

test('bytes that are no canonical manifest are not stored, and leave nothing', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const bytes = Buffer.from('schema_version=0\n0\t/a\t\t\t\n2\t/b\t\t\t\n');
  const error = await rejectsWith('manifest_invalid', store.put(inChunks(bytes, 5)));
  assert.equal(error.details['line'], 3);
  assert.deepEqual(await readdir(folder.join('tmp')), []);
  assert.deepEqual(await readdir(folder.path), ['tmp']);
});

test('a manifest that hashes to its name but is not canonical is refused by its line', async () => {
  await using folder = await temporaryFolder();
  const bytes = Buffer.from('schema_version=0\r\n0\t/a\t\t\t\r\n');
  await folder.write({ [`by-hash/${sha256(bytes)}`]: bytes });
  const store = storeIn(folder.path);
  await rejectsWith('manifest_invalid', store.open(manifestHash(sha256(bytes))));
});

test('what a killed writer left in tmp is removed by the next one, what others write is not', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const names = ['0123456789abcdef-1-1-0123456789abcdef', 'something-else'];
  for (const name of names) await folder.write({ [`tmp/${name}`]: 'x' });
  let mine = '';
  await store.put(
    (async function* () {
      mine = (await readdir(folder.join('tmp'))).find((name) => !names.includes(name)) ?? '';
      yield* inChunks(manifestOf(1).bytes, 99);
    })(),
  );
  // The same place, but a process that cannot be there: pids end at 2^22.
  const [place = ''] = mine.split('-');
  await folder.write({ [`tmp/${place}-4194305-77-0123456789abcdef`]: 'left by a dead process' });
  await store.put(inChunks(manifestOf(2).bytes, 99));
  assert.deepEqual((await readdir(folder.join('tmp'))).sort(), names);
});

test('a current file that holds no hash is refused with its path', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { hash } = await store.put(inChunks(manifestOf(1).bytes, 99));
  await store.withLock('/a', undefined, () => store.setCurrent('/a', hash));
  const [key = ''] = await readdir(folder.join('intent'));
  assert.equal(await readFile(folder.join('intent', key, 'current'), 'utf8'), hash);
  await writeFile(folder.join('intent', key, 'current'), `${hash}\n`);
  const current = await store.current('/a/');
  assert.equal(current?.hash, hash);
  assert.ok(Math.abs((current.sinceUnixMs ?? 0) - Date.now()) < 60_000, 'it became so just now');
  await writeFile(folder.join('intent', key, 'current'), 'nonsense');
  const error = await rejectsWith('manifest_corrupt', store.current('/a'));
  assert.ok(error.message.includes(folder.join('intent', key, 'current')));
});

test('who reads in a manifest that was closed is told so', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { hash } = await store.put(inChunks(manifestOf(2000).bytes, 4096));
  await using stamps = await store.stampWriter();
  for (let sample = 0; sample < 2000; sample += 1) stamps.add({ bytes: 1, mtimeMs: 2 });
  await stamps.keep(hash);
  const reader = await store.open(hash);
  const closed = { code: 'manifest_missing', message: /no job of this coordinator reads it/ };
  await assert.rejects(async () => {
    for await (const chunk of reader.bytes(1024)) {
      assert.equal(chunk.length, 1024);
      await reader.close();
    }
  }, closed);
  await assert.rejects(reader.sliceBytes(0, 10), closed);
  await assert.rejects(reader.stamps(0, 10), closed);
});

test('a slice outside the manifest is refused', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { hash } = await store.put(inChunks(manifestOf(10).bytes, 99));
  const reader = await store.open(hash);
  for (const [start, end] of [
    [0, 11],
    [-1, 2],
    [5, 4],
    [0.5, 2],
  ] as const) {
    await rejectsWith('field_invalid', recordsOf(reader, start, end));
    await rejectsWith('field_invalid', reader.sliceBytes(start, end));
  }
  await reader.close();
});

test('single records in any order are those of the whole, across noted lines, and read from the disk once', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const { records, bytes } = manifestOf(2500);
  const { hash } = await store.put(inChunks(bytes, 4096));
  await using stamps = await store.stampWriter();
  for (const { sampleId, byteLength } of records) {
    stamps.add(byteLength === null ? { bytes: 7 + sampleId, mtimeMs: 5 } : null);
  }
  await stamps.keep(hash);
  const reader = await store.open(hash);
  const whole = await recordsOf(reader, 0, 2500);
  assert.equal(whole[3]?.pinnedBytes, 10);
  const asked = Array.from({ length: 600 }, (_, index) => (index * 1009) % 2495);
  for (const start of [...asked, 1020, 1023, 1024, 2047]) {
    const length = start % 5;
    assert.deepEqual(await recordsOf(reader, start, start + length), [
      ...whole.slice(start, start + length),
    ]);
  }
  await chmod(folder.join('by-hash', hash), 0o644);
  await writeFile(folder.join('by-hash', hash), '');
  const again: unknown[] = [];
  for await (const table of reader.tables(1500, 1502)) again.push(...table.records());
  assert.deepEqual(again, whole.slice(1500, 1502));
  await reader.close();
});

test('single records of a manifest with very long lines are not kept: they would take more memory than they save', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const deep = `/${'d'.repeat(200)}`.repeat(150);
  const records = Array.from({ length: 600 }, (_, sampleId) => ({
    ...{ sampleId, location: `${deep}/${sampleId}`, byteOffset: null, byteLength: null },
    decodeHint: '',
  }));
  const bytes = Buffer.concat([encodeHeader(), encodeRecords(records)]);
  assert.ok(bytes.length > TABLES_KEPT_BYTES_MAX);
  const { hash } = await store.put(inChunks(bytes, 1024 ** 2));
  const reader = await store.open(hash);
  const read = async (): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const table of reader.tables(300, 302)) found.push(...table.records());
    return found;
  };
  assert.deepEqual(await read(), records.slice(300, 302));
  await chmod(folder.join('by-hash', hash), 0o644);
  await writeFile(folder.join('by-hash', hash), '');
  await assert.rejects(read(), { code: 'manifest_corrupt' });
  await reader.close();
});

test('a root that cannot be written to is a failure of the store, not a bug', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ store: 'a file' });
  const store = storeIn(folder.join('store'));
  const error = await rejectsWith(
    'manifest_store_failed',
    store.put(inChunks(manifestOf(1).bytes, 9)),
  );
  assert.ok(error.message.includes(folder.join('store')));
});

test('stamps that were damaged, cut or belong to another manifest are refused by name', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const stored: string[] = [];
  for (const count of [2000, 2001]) {
    const { hash } = await store.put(inChunks(manifestOf(count).bytes, 4096));
    await using stamps = await store.stampWriter();
    for (let id = 0; id < count; id += 1) stamps.add({ bytes: 10 + id, mtimeMs: 5 });
    await stamps.keep(hash);
    stored.push(hash);
  }
  const [hash, other] = stored.map(manifestHash);
  assert.ok(hash !== undefined && other !== undefined);
  const path = folder.join('stamps', hash);
  await chmod(path, 0o644);
  const good = await readFile(path);
  assert.equal(good.length, 2000 * 16 + 2 * 16 + 80);

  const flipped = Buffer.from(good);
  flipped[1500 * 16] = 1 + (flipped[1500 * 16] ?? 0);
  await writeFile(path, flipped);
  const reader = await store.open(hash);
  assert.equal((await reader.stamps(0, 1024))?.bytes[1023], 1033);
  const error = await rejectsWith('manifest_corrupt', reader.stamps(1000, 1600));
  assert.ok(error.message.includes(path), error.message);
  await reader.close();

  for (const bad of [good.subarray(0, -1), good.subarray(16), Buffer.alloc(3)]) {
    await writeFile(path, bad);
    // Without the mark at its end it may be of another version, and counts for nothing.
    const isOurs = bad.subarray(-80).toString('latin1').startsWith('mx8stm01');
    if (isOurs || bad.length < 80) await rejectsWith('manifest_corrupt', store.open(hash));
    else await (await store.open(hash)).close();
  }
  await writeFile(path, await readFile(folder.join('stamps', other)));
  await rejectsWith('manifest_corrupt', store.open(hash));
  await writeFile(path, good);
  const mended = await store.open(hash);
  assert.equal((await mended.stamps(1999, 2000))?.bytes[0], 2009);
  await mended.close();
});
