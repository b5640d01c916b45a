import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId } from '../core/base/units.ts';
import { MemoryManifestStore } from '../testing/memory-manifest-store.ts';
import { testSpec } from '../testing/test-coordinator.ts';
import { ManifestShelf } from './manifest-shelf.ts';

test('a manifest is opened once, and closed when no job reads it any more', async () => {
  const store = new MemoryManifestStore();
  const [first, second] = [await store.putFiles(3), await store.putFiles(4)];
  const shelf = new ManifestShelf(store);
  const open = (hash: typeof first): ReturnType<ManifestShelf['ofJob']> =>
    shelf.ofJob(jobId('job'), testSpec(hash), hash);
  const reader = await open(first);
  assert.equal(await open(first), reader);
  await open(second);
  assert.equal(store.openReaders, 2);

  await shelf.keepOnly(() => new Set([first, second]));
  assert.equal(store.openReaders, 2);
  // One that is being opened is closed when it is open.
  await shelf.keepOnly(() => new Set([second]));
  const opening = open(first);
  await shelf.keepOnly(() => new Set([second]));
  await opening;
  assert.equal(store.openReaders, 1);

  assert.notEqual(await open(first), reader);
  await shelf.close();
  assert.equal(store.openReaders, 0);
});

test('one that could not be opened is tried again', async () => {
  const store = new MemoryManifestStore();
  const hash = await new MemoryManifestStore().putFiles(3);
  const shelf = new ManifestShelf(store);
  const open = (): Promise<unknown> => shelf.ofJob(jobId('job'), testSpec(hash), hash);
  await assert.rejects(open, { code: 'manifest_missing' });
  assert.equal(await store.putFiles(3), hash);
  await open();
  assert.equal(store.openReaders, 1);
});
