import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import fc from 'fast-check';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { inChunks, rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { nodeRandom } from '../platform/random.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { FsManifestStore } from './fs-manifest-store.ts';

const BLOCK_BYTES = 20 * 1024;

function storeIn(root: string): FsManifestStore {
  const events = new RecordingEvents();
  return new FsManifestStore({ root, clock: new EagerClock(), random: nodeRandom(), events });
}

/** Samples in shards of 3000, with labels by the thousand; some hints and paths are not ASCII. */
function packed(count: number, root: string = '/data/päcked'): SampleRecord[] {
  return Array.from({ length: count }, (_, sampleId) => ({
    sampleId,
    location: `${root}/shard-${Math.floor(sampleId / 3000)}.tar`,
    byteOffset: 512 + (sampleId % 3000) * 2048,
    byteLength: 1 + ((sampleId * 7919) % 1500),
    decodeHint: sampleId < 2000 ? '' : `mx8:vision:imagefolder;label_id=${sampleId >> 10}`,
  }));
}

async function put(
  store: FsManifestStore,
  records: readonly SampleRecord[],
): Promise<ManifestHash> {
  const bytes = Buffer.concat([encodeHeader(), encodeRecords(records)]);
  return (await store.put(inChunks(bytes, 10_007))).hash;
}

async function tablesOf(
  reader: ManifestReader,
  start: number,
  end: number,
): Promise<SampleRecord[]> {
  const records: SampleRecord[] = [];
  for await (const table of reader.tables(start, end)) records.push(...table.records());
  return records;
}

test('tables of any slice are the records, also where the lines cannot be read any more', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const all = packed(20_001);
  const hash = await put(store, all);
  const reader = await store.open(hash);
  const lines = folder.join('by-hash', hash);
  await chmod(lines, 0o644);
  await truncate(lines, 0);
  const place = fc.oneof(fc.nat(all.length), fc.constantFrom(0, 1024, 8192, 16_384, all.length));
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      assert.deepEqual(await tablesOf(reader, start, end), all.slice(start, end));
    }),
    { numRuns: 40 },
  );
  assert.deepEqual(await tablesOf(reader, 0, all.length), all);
  await rejectsWith('manifest_corrupt', reader.sliceBytes(0, 10));
  await reader.close();
});

test('where columns are damaged, cut or of another manifest, the lines are read', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const all = packed(9000);
  const hash = await put(store, all);
  const other = await put(store, packed(9000, '/other'));
  const path = folder.join('columns', hash);
  const good = await readFile(path);
  assert.equal(good.length, 9 * BLOCK_BYTES + 52);
  await chmod(path, 0o644);
  const expectAll = async (bytes: Uint8Array): Promise<void> => {
    await writeFile(path, bytes);
    const reader = await store.open(hash);
    assert.deepEqual(await tablesOf(reader, 0, all.length), all);
    assert.deepEqual(await tablesOf(reader, 4000, 4010), all.slice(4000, 4010));
    await reader.close();
  };
  const flips = [0, 8000, 9000, 3 * BLOCK_BYTES + 16_384, 3 * BLOCK_BYTES - 1, good.length - 60];
  for (const at of [...flips, good.length - 1, good.length - 20, good.length - 52]) {
    const flipped = Buffer.from(good);
    flipped[at] = 1 ^ (flipped[at] ?? 0);
    await expectAll(flipped);
  }
  // A block in the place of another one.
  const [first, second] = [
    good.subarray(0, BLOCK_BYTES),
    good.subarray(BLOCK_BYTES, BLOCK_BYTES * 2),
  ];
  await expectAll(Buffer.concat([second, first, good.subarray(BLOCK_BYTES * 2)]));
  await expectAll(good.subarray(0, -1));
  await expectAll(Buffer.alloc(0));
  await expectAll(await readFile(folder.join('columns', other)));
  await expectAll(good);
});

test('who gives up before the first table hears of that alone', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const hash = await put(store, packed(5000));
  const path = folder.join('columns', hash);
  const damaged = await readFile(path);
  damaged[0] = 1 ^ (damaged[0] ?? 0);
  await chmod(path, 0o644);
  await writeFile(path, damaged);
  const reader = await store.open(hash);
  const tables = reader.tables(0, 5000, AbortSignal.abort(new Error('enough')));
  await assert.rejects(async () => {
    for await (const table of tables) assert.fail(`${table.length} samples`);
  }, /enough/);
  // A read that nobody waits for would end the test with what it says now.
  await reader.close();
  await setImmediate();
});

test('columns are made again when all of a manifest is checked again', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const hash = await put(store, packed(5000));
  const good = await readFile(folder.join('columns', hash));
  await rm(folder.join('columns', hash));
  await (await store.open(hash)).close();
  assert.ok(!existsSync(folder.join('columns', hash)), 'nobody reads all of it for them alone');
  await rm(folder.join('index', hash));
  await (await store.open(hash)).close();
  assert.deepEqual(await readFile(folder.join('columns', hash)), good);
});

test('what is known of the objects is in tables that are made of columns', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const all = packed(5000, 's3://bucket/packed');
  const hash = await put(store, all);
  await using stamps = await store.stampWriter();
  for (const { sampleId } of all) stamps.add({ bytes: -1, mtimeMs: 1 + sampleId });
  await stamps.keep(hash);
  const reader = await store.open(hash);
  const tagged = all.map((record) => ({ ...record, pinnedTag: 1 + record.sampleId }));
  assert.deepEqual(await tablesOf(reader, 0, 5000), tagged);
  assert.ok(existsSync(folder.join('columns', hash)));
  await reader.close();
});

test('manifests that columns are of no use for, or cannot be of, have none', async () => {
  await using folder = await temporaryFolder();
  const store = storeIn(folder.path);
  const cases: Record<string, SampleRecord[]> = {
    short: packed(4095),
    'loose files': packed(5000).map((record) => ({
      ...record,
      location: `/loose/${record.sampleId}`,
      byteOffset: null,
      byteLength: null,
    })),
    'one loose file': packed(5000).map((record) =>
      record.sampleId === 4500 ? { ...record, byteOffset: null, byteLength: null } : record,
    ),
    'many locations': packed(5000).map((record) => ({
      ...record,
      location: `/data/many/shard-${record.sampleId}.tar`,
    })),
    'a location that the scan does not know': packed(5000).map((record) =>
      record.sampleId === 0 ? { ...record, location: 'file:///data/x.tar' } : record,
    ),
  };
  for (const [what, records] of Object.entries(cases)) {
    const hash = await put(store, records);
    assert.ok(!existsSync(folder.join('columns', hash)), what);
    const reader = await store.open(hash);
    assert.deepEqual(await tablesOf(reader, 0, records.length), records, what);
    await reader.close();
  }
  const hash = await put(store, packed(4096));
  assert.ok(existsSync(folder.join('columns', hash)));
});

test('a store where columns cannot be written does without', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.join('columns'), 'a file where the folder should be');
  const store = storeIn(folder.path);
  const all = packed(5000);
  const reader = await store.open(await put(store, all));
  assert.deepEqual(await tablesOf(reader, 0, all.length), all);
  await reader.close();
});
