/** Manifests in stores of every kind: the suite of every manifest store, racing resolvers, other machines, damage. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
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
import type { ObjectOutputs } from '../support/object-outputs.ts';
import { eachStore, isWrite, S3, schemeOf, STORE_KINDS } from '../support/store-kinds.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const { onEach, worldOf } = eachStore();
let stores = 0;

/** As of a machine of its own, when the cache is. */
function storeAt({ place }: ObjectOutputs, location: string, cache: string): ManifestStore {
  const [clock, random] = [nodeClock(), nodeRandom()];
  return new ObjectManifestStore({
    location,
    place,
    cache,
    clock,
    random,
    events: new RecordingEvents(),
  });
}

function freshLocation(world: ObjectOutputs): string {
  stores += 1;
  return world.at(`store-${stores}`);
}

for (const kind of STORE_KINDS) {
  if (kind.missing === false) {
    runManifestStoreSuite({
      name: `${schemeOf(kind)} store`,
      withStore: async (body) => {
        await using folder = await temporaryFolder();
        const world = worldOf(kind);
        await body(storeAt(world, freshLocation(world), folder.join('cache')));
      },
    });
  }
}

onEach(
  'another machine sees the manifest, its stamps and what is current, in the layout of the wire',
  async (world) => {
    await using folder = await temporaryFolder();
    const location = freshLocation(world);
    const [here, there] = [
      storeAt(world, location, folder.join('a')),
      storeAt(world, location, folder.join('b')),
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
    assert.deepEqual(await world.all(world.open(location)), [
      `by-hash/${hash}`,
      `intent/${key}/current`,
      `stamps/${hash}`,
    ]);
  },
);

function sha256OfText(text: string): string {
  return sha256(Buffer.from(text));
}

onEach(
  'bytes that do not hash to their name are refused with both hashes, and putting them again mends it',
  async (world) => {
    await using folder = await temporaryFolder();
    const location = freshLocation(world);
    const { bytes } = manifestOf(10);
    const hash = manifestHash(sha256(bytes));
    const other = manifestOf(9).bytes;
    const store = storeAt(world, location, folder.join('cache'));
    for (const wrong of [other, Buffer.from('nothing of the kind')]) {
      await world.place.write(`${location}/by-hash/${hash}`, wrong, { type: 'any' });
      const error = await rejectsWith('manifest_corrupt', store.open(hash));
      assert.ok(
        error.message.includes(hash) && error.message.includes(sha256(wrong)),
        error.message,
      );
      assert.ok(error.message.includes(`${location}/by-hash/`));
    }
    await storeAt(world, location, folder.join('writer')).put(inChunks(bytes, 100));
    const reader = await store.open(hash);
    assert.equal(reader.sampleCount, 10);
    await reader.close();
    const missing = manifestHash('0'.repeat(64));
    const { message } = await rejectsWith('manifest_missing', store.open(missing));
    assert.ok(message.includes(`${location}/by-hash/${missing}`));
  },
);

onEach('resolvers of many machines that race for one base end with one snapshot', async (world) => {
  await using folder = await temporaryFolder();
  const location = freshLocation(world);
  const data = world.open(world.at('raced-data'));
  for (let index = 0; index < 20; index += 1) await data.create(`f${index}`, `sample ${index}`);
  const resolvers = Array.from({ length: 6 }, async (_, machine) => {
    const [clock, events] = [nodeClock(), new RecordingEvents()];
    const store = storeAt(world, location, folder.join(`machine-${machine}`));
    return resolveLink(world.at('raced-data'), { store, clock, events, places: world.places });
  });
  const resolved = await Promise.all(resolvers);
  assert.equal(new Set(resolved.map(({ hash }) => hash)).size, 1);
  assert.equal(resolved.filter(({ isNew }) => isNew).length, 1);
});

onEach(
  'whoever lost the lock while it pinned does not make its snapshot current',
  async (world) => {
    await using folder = await temporaryFolder();
    const location = freshLocation(world);
    const [here, there] = [
      storeAt(world, location, folder.join('a')),
      storeAt(world, location, folder.join('b')),
    ];
    const one = await here.put(inChunks(manifestOf(3).bytes, 99));
    const two = await there.put(inChunks(manifestOf(4).bytes, 99));
    const key = intentKey('/a', sha256OfText);
    const late = here.withLock('/a', undefined, async () => {
      // As if this process had stood still until others counted it as dead.
      await world.place.remove(`${location}/locks/${key}.lock`);
      await there.withLock('/a', undefined, () => there.setCurrent('/a', two.hash));
      await here.setCurrent('/a', one.hash);
    });
    await rejectsWith('manifest_lock_timeout', late);
    assert.equal((await here.current('/a'))?.hash, two.hash);
    // Even where its lock seems to be held: what is current has changed since it took it.
    const unseen = here.withLock('/a', undefined, async () => {
      const current = `${location}/intent/${key}/current`;
      await world.place.write(current, Buffer.from(one.hash), { type: 'any' });
      await here.setCurrent('/a', two.hash);
    });
    await rejectsWith('manifest_lock_timeout', unseen);
    assert.equal((await here.current('/a'))?.hash, one.hash);
  },
);

onEach(
  'a store that refuses, resets and loses answers costs time, and one that denies is named',
  async (world) => {
    await using folder = await temporaryFolder();
    const store = storeAt(world, freshLocation(world), folder.join('cache'));
    let asked = 0;
    world.troubled.troubles.length = 0;
    world.troubled.decide = () => {
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
    assert.deepEqual([...new Set(world.troubled.troubles)].sort(), ['refused', 'reset', 'unheard']);
    world.troubled.decide = (asked) => (isWrite(asked) ? 'denied' : 'none');
    const denied = await rejectsWith('object_denied', store.put(inChunks(manifestOf(5).bytes, 99)));
    assert.match(denied.message, /\w+:\/\/\w+\/store-\d+\/by-hash\/[0-9a-f]{64} .*403/);
    world.troubled.decide = () => 'none';
  },
);

onEach(
  'whatever is left of a copy, or taken away while it is opened, the manifest is read with its stamps',
  async (world) => {
    await using folder = await temporaryFolder();
    const location = freshLocation(world);
    const cache = folder.join('cache');
    const { bytes } = manifestOf(3000);
    const { hash } = await storeAt(world, location, folder.join('writer')).put(
      inChunks(bytes, 777),
    );
    await using stamps = await storeAt(world, location, folder.join('writer')).stampWriter();
    for (let id = 0; id < 3000; id += 1) stamps.add({ bytes: id, mtimeMs: 1 });
    await stamps.keep(hash);
    const names = ['stamps-etag', 'stamps', 'index', 'by-hash', 'used'];
    const store = storeAt(world, location, cache);
    const opens = async (): Promise<void> => {
      const reader = await store.open(hash);
      assert.equal((await reader.stamps(0, 3000))?.bytes[7], 7);
      assert.equal((await recordsOf(reader, 0, 3000)).length, 3000);
      await reader.close();
    };
    await opens();
    for (const count of names.keys()) {
      for (const name of names.slice(0, count + 1)) await rm(join(cache, name, hash));
      await opens();
      assert.deepEqual(await readdir(join(cache, 'used')), [hash]);
    }
    // Between two requests of an opening, as by another process.
    const isStat = /(?:HEAD|GET) .*stamps/;
    for (const name of ['stamps', 'by-hash']) {
      await opens();
      let isLeft = true;
      world.troubled.decide = ({ method, url }) => {
        if (isLeft && isStat.test(`${method} ${url}`)) rmSync(join(cache, name, hash));
        isLeft &&= !isStat.test(`${method} ${url}`);
        return 'none';
      };
      await opens();
      assert.equal(isLeft, false);
    }
    const reader = await store.open(hash);
    for (const name of names) await rm(join(cache, name, hash));
    assert.equal((await recordsOf(reader, 0, 3000)).length, 3000, 'what is open stays readable');
    await reader.close();
  },
);

onEach(
  'mx8 resolve and run share a store in S3 between machines, with everything in stores',
  async (world) => {
    await using bench = await Workbench.create();
    const data = world.open(world.at('cli-data'));
    for (let index = 0; index < 24; index += 1) await data.create(`f${index}`, `sample ${index}`);
    const machine = (name: string): Record<string, string> => ({
      ...world.environment,
      HOME: bench.path(name),
      MX8_MANIFEST_STORE_ROOT: world.at('cli-manifests'),
    });
    const resolved = await bench.run(['resolve', world.at('cli-data'), '--json'], machine('a'));
    assert.equal(resolved.code, 0, resolved.stderr);
    const { manifest_hash: hash } = JSON.parse(resolved.stdout) as { manifest_hash: string };
    await data.create('late', 'not in the snapshot');
    const words = ['--data', world.at('cli-data'), '--out', world.at('cli-out'), '--ram-gb', '1'];
    const ran = await bench.run(['run', JOB, ...words, '--workers', '1'], machine('b'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(ran.stdout.includes(hash), ran.stdout);
    assert.equal((await world.records(world.open(world.at('cli-out')))).length, 24);
    const verified = await bench.run(['verify', world.at('cli-out')], machine('c'));
    assert.match(verified.stdout, /no differences/, verified.stderr);
    assert.deepEqual((await readdir(bench.path('b', '.mx8'))).sort(), ['manifest-cache', 'runs']);
  },
  [S3],
);
