/** Manifests in a real S3 service: the suite of every manifest store, racing resolvers, other machines, damage. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { manifestHash } from '../../src/core/base/units.ts';
import { intentKey } from '../../src/core/manifest/dataset-link.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { ManifestStore } from '../../src/ports/manifest-store.ts';
import { resolveLink } from '../../src/snapshots/index.ts';
import { ObjectManifestStore } from '../../src/snapshots/object-manifest-store.ts';
import { RecordingEvents } from '../../src/testing/index.ts';
import {
  inChunks,
  manifestOf,
  recordsOf,
  rejectsWith,
  runManifestStoreSuite,
  sha256,
} from '../support/manifest-store-suite.ts';
import { Workbench } from '../support/mx8-process.ts';
import { ObjectOutputs } from '../support/object-outputs.ts';
import { S3_ENVIRONMENT, VERSITYGW } from '../support/s3-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const skip = VERSITYGW.missing;
const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
let started: ObjectOutputs | null = null;
let stores = 0;

before(async () => {
  if (skip === false) started = await ObjectOutputs.start();
});

after(async () => {
  await started?.[Symbol.asyncDispose]();
});

function running(): ObjectOutputs {
  if (started === null) throw new Error('the service runs');
  return started;
}

/** As of a machine of its own, when the cache is. */
function storeAt(location: string, cache: string): ManifestStore {
  const [clock, random] = [nodeClock(), nodeRandom()];
  const { place } = running();
  return new ObjectManifestStore({
    location,
    place,
    cache,
    clock,
    random,
    events: new RecordingEvents(),
  });
}

function freshLocation(): string {
  stores += 1;
  return `s3://bucket/store-${stores}`;
}

if (skip === false) {
  runManifestStoreSuite({
    name: 's3 store',
    withStore: async (body) => {
      await using folder = await temporaryFolder();
      await body(storeAt(freshLocation(), folder.join('cache')));
    },
  });
}

test(
  'another machine sees the manifest, its stamps and what is current, in the layout of the wire',
  { skip },
  async () => {
    await using folder = await temporaryFolder();
    const location = freshLocation();
    const [here, there] = [
      storeAt(location, folder.join('a')),
      storeAt(location, folder.join('b')),
    ];
    const { records, bytes } = manifestOf(3000);
    const { hash } = await here.put(inChunks(bytes, 777));
    for (const mtimeMs of [1, 2]) {
      await using stamps = await here.stampWriter();
      for (let id = 0; id < 3000; id += 1) stamps.add({ bytes: id, mtimeMs });
      await stamps.keep(hash);
      const reader = await there.open(hash);
      assert.deepEqual([...((await reader.stamps(5, 6))?.mtimesMs ?? [])], [mtimeMs]);
      assert.equal((await recordsOf(reader, 1, 2999)).length, 2998);
      assert.equal((await reader.stamps(0, 3000))?.bytes[7], 7);
      await reader.close();
    }
    assert.equal(records.length, 3000);
    await here.withLock('s3://b/x/', undefined, () => here.setCurrent('s3://b/x/', hash));
    assert.equal((await there.current('s3://b/x'))?.hash, hash);
    const key = intentKey('s3://b/x', sha256OfText);
    assert.deepEqual(await running().all(running().open(location)), [
      `by-hash/${hash}`,
      `intent/${key}/current`,
      `stamps/${hash}`,
    ]);
  },
);

function sha256OfText(text: string): string {
  return sha256(Buffer.from(text));
}

test(
  'bytes that do not hash to their name are refused with both hashes, and putting them again mends it',
  { skip },
  async () => {
    await using folder = await temporaryFolder();
    const s3 = running();
    const location = freshLocation();
    const { bytes } = manifestOf(10);
    const hash = manifestHash(sha256(bytes));
    const other = manifestOf(9).bytes;
    const store = storeAt(location, folder.join('cache'));
    for (const wrong of [other, Buffer.from('nothing of the kind')]) {
      await s3.place.write(`${location}/by-hash/${hash}`, wrong, { type: 'any' });
      const error = await rejectsWith('manifest_corrupt', store.open(hash));
      assert.ok(
        error.message.includes(hash) && error.message.includes(sha256(wrong)),
        error.message,
      );
      assert.ok(error.message.includes(`${location}/by-hash/`));
    }
    await storeAt(location, folder.join('writer')).put(inChunks(bytes, 100));
    const reader = await store.open(hash);
    assert.equal(reader.sampleCount, 10);
    await reader.close();
    const missing = manifestHash('0'.repeat(64));
    const { message } = await rejectsWith('manifest_missing', store.open(missing));
    assert.ok(message.includes(`${location}/by-hash/${missing}`));
  },
);

test(
  'resolvers of many machines that race for one base end with one snapshot',
  { skip },
  async () => {
    await using folder = await temporaryFolder();
    const s3 = running();
    const location = freshLocation();
    const data = s3.open('s3://bucket/raced-data');
    for (let index = 0; index < 20; index += 1) await data.create(`f${index}`, `sample ${index}`);
    const resolvers = Array.from({ length: 6 }, async (_, machine) => {
      const [clock, events] = [nodeClock(), new RecordingEvents()];
      const store = storeAt(location, folder.join(`machine-${machine}`));
      return resolveLink('s3://bucket/raced-data', { store, clock, events, places: s3.places });
    });
    const resolved = await Promise.all(resolvers);
    assert.equal(new Set(resolved.map(({ hash }) => hash)).size, 1);
    assert.equal(resolved.filter(({ isNew }) => isNew).length, 1);
  },
);

test(
  'whoever lost the lock while it pinned does not make its snapshot current',
  { skip },
  async () => {
    await using folder = await temporaryFolder();
    const location = freshLocation();
    const [here, there] = [
      storeAt(location, folder.join('a')),
      storeAt(location, folder.join('b')),
    ];
    const one = await here.put(inChunks(manifestOf(3).bytes, 99));
    const two = await there.put(inChunks(manifestOf(4).bytes, 99));
    const key = intentKey('/a', sha256OfText);
    const late = here.withLock('/a', undefined, async () => {
      // As if this process had stood still until others counted it as dead.
      await running().place.remove(`${location}/locks/${key}.lock`);
      await there.withLock('/a', undefined, () => there.setCurrent('/a', two.hash));
      await here.setCurrent('/a', one.hash);
    });
    await rejectsWith('manifest_lock_timeout', late);
    assert.equal((await here.current('/a'))?.hash, two.hash);
    // Even where its lock seems to be held: what is current has changed since it took it.
    const unseen = here.withLock('/a', undefined, async () => {
      const current = `${location}/intent/${key}/current`;
      await running().place.write(current, Buffer.from(one.hash), { type: 'any' });
      await here.setCurrent('/a', two.hash);
    });
    await rejectsWith('manifest_lock_timeout', unseen);
    assert.equal((await here.current('/a'))?.hash, one.hash);
  },
);

test(
  'a store that refuses, resets and loses answers costs time, and one that denies is named',
  { skip },
  async () => {
    await using folder = await temporaryFolder();
    const s3 = running();
    const store = storeAt(freshLocation(), folder.join('cache'));
    let asked = 0;
    s3.troubled.troubles.length = 0;
    s3.troubled.decide = () => {
      asked += 1;
      return asked % 3 === 0
        ? ((['refused', 'reset', 'unheard'] as const)[asked % 7] ?? 'none')
        : 'none';
    };
    const { hash } = await store.put(inChunks(manifestOf(50).bytes, 99));
    for (const base of ['/a', '/b', '/c', '/d']) {
      await store.withLock(base, undefined, () => store.setCurrent(base, hash));
      assert.equal((await store.current(base))?.hash, hash);
    }
    assert.deepEqual([...new Set(s3.troubled.troubles)].sort(), ['refused', 'reset', 'unheard']);
    s3.troubled.decide = ({ method }) => (method === 'PUT' ? 'denied' : 'none');
    const denied = await rejectsWith('object_denied', store.put(inChunks(manifestOf(5).bytes, 99)));
    assert.match(denied.message, /s3:\/\/bucket\/store-\d+\/by-hash\/[0-9a-f]{64} .*403/);
    s3.troubled.decide = () => 'none';
  },
);

test(
  'mx8 resolve and run share a store in S3 between machines, with everything in stores',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const s3 = running();
    const data = s3.open('s3://bucket/cli-data');
    for (let index = 0; index < 24; index += 1) await data.create(`f${index}`, `sample ${index}`);
    const machine = (name: string): Record<string, string> => ({
      ...S3_ENVIRONMENT,
      HOME: bench.path(name),
      MX8_S3_ENDPOINT_URL: s3.troubled.url,
      MX8_MANIFEST_STORE_ROOT: 's3://bucket/cli-manifests',
    });
    const resolved = await bench.run(['resolve', 's3://bucket/cli-data', '--json'], machine('a'));
    assert.equal(resolved.code, 0, resolved.stderr);
    const { manifest_hash: hash } = JSON.parse(resolved.stdout) as { manifest_hash: string };
    await data.create('late', 'not in the snapshot');
    const words = [
      '--data',
      's3://bucket/cli-data',
      '--out',
      's3://bucket/cli-out',
      '--ram-gb',
      '1',
    ];
    const ran = await bench.run(['run', JOB, ...words, '--workers', '1'], machine('b'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(ran.stdout.includes(hash), ran.stdout);
    assert.equal((await s3.records(s3.open('s3://bucket/cli-out'))).length, 24);
    const verified = await bench.run(['verify', 's3://bucket/cli-out'], machine('c'));
    assert.match(verified.stdout, /no differences/, verified.stderr);
    assert.deepEqual((await readdir(bench.path('b', '.mx8'))).sort(), ['manifest-cache', 'runs']);
  },
);
