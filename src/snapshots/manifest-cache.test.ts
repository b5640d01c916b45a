import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { DAY_MS } from '../core/base/retention.ts';
import { manifestHash } from '../core/base/units.ts';
import { manifestCacheRetention, markUsed, tidyManifestCache } from './manifest-cache.ts';

const NOW = 1_800_000_000_000;
const STORE = '0123456789abcdef';
const FILES = ['by-hash', 'index', 'columns', 'stamps', 'stamps-etag'];

function hashOf(digit: string): string {
  return manifestHash(digit.repeat(64));
}

/** A file of an age. */
async function put(path: string, bytes: number, ageDays: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.alloc(bytes));
  const seconds = (NOW - ageDays * DAY_MS) / 1000;
  await utimes(path, seconds, seconds);
}

async function putCopy(root: string, digit: string, ageDays: number, bytes = 1000): Promise<void> {
  for (const name of FILES)
    await put(join(root, STORE, name, hashOf(digit)), bytes / FILES.length, ageDays);
}

function digitsOf(things: readonly { readonly hash: string }[]): string {
  return things
    .map(({ hash }) => hash.slice(0, 1))
    .toSorted()
    .join('');
}

test('copies that nobody used for a month go with all that belongs to them, and those used since stay', async () => {
  await using folder = await temporaryFolder();
  await putCopy(folder.path, 'a', 31);
  await putCopy(folder.path, 'b', 31);
  await putCopy(folder.path, 'c', 29);
  const b = join(folder.path, STORE);
  await markUsed(b, hashOf('b'), NOW - 2 * DAY_MS);
  const retention = manifestCacheRetention(1_000_000);
  const would = await tidyManifestCache(folder.path, retention, NOW, true);
  assert.deepEqual([digitsOf(would.removed), digitsOf(would.kept)], ['a', 'bc']);
  assert.ok(existsSync(join(b, 'by-hash', hashOf('a'))), 'nothing was removed yet');
  const did = await tidyManifestCache(folder.path, retention, NOW);
  assert.deepEqual([digitsOf(did.removed), digitsOf(did.kept)], ['a', 'bc']);
  assert.equal(did.removed[0]?.bytes, 1000);
  for (const name of FILES) {
    assert.equal(existsSync(join(b, name, hashOf('a'))), false);
    assert.equal(existsSync(join(b, name, hashOf('b'))), true);
  }
});

test('above its size those used longest ago go, and what was used within a day stays however large it is', async () => {
  await using folder = await temporaryFolder();
  await putCopy(folder.path, 'a', 5);
  await putCopy(folder.path, 'b', 3);
  await putCopy(folder.path, 'c', 8);
  await putCopy(folder.path, 'd', 9, 40_000);
  await markUsed(join(folder.path, STORE), hashOf('d'), NOW - 1000);
  const { removed, kept } = await tidyManifestCache(
    folder.path,
    manifestCacheRetention(41_000),
    NOW,
  );
  assert.deepEqual([digitsOf(removed), digitsOf(kept)], ['ac', 'bd']);
  assert.equal(
    digitsOf((await tidyManifestCache(folder.path, manifestCacheRetention(1), NOW)).kept),
    'd',
  );
});

test('what is left of a copy goes too, and what is no copy is not touched', async () => {
  await using folder = await temporaryFolder();
  const alien = [
    ['by-hash', hashOf('a')],
    ['elsewhere-of-mine', 'by-hash', hashOf('a')],
    [STORE, 'by-hash', 'notes.txt'],
    [STORE, 'intent', hashOf('a')],
    [STORE, 'tmp', 'somebody-writes-this'],
  ];
  for (const path of alien) await put(join(folder.path, ...path), 10, 400);
  await put(join(folder.path, STORE, 'stamps', hashOf('e')), 10, 400);
  const { removed } = await tidyManifestCache(folder.path, manifestCacheRetention(1), NOW);
  assert.equal(digitsOf(removed), 'e');
  for (const path of alien) assert.ok(existsSync(join(folder.path, ...path)), path.join('/'));
  const nowhere = join(folder.path, 'nowhere');
  const nothing = await tidyManifestCache(nowhere, manifestCacheRetention(1), NOW);
  assert.deepEqual([nothing.removed, nothing.kept], [[], []]);
});

test('a mark is made where there is none, and a folder that cannot have one is used all the same', async () => {
  await using folder = await temporaryFolder();
  await markUsed(folder.path, hashOf('a'), NOW);
  assert.equal((await stat(folder.join('used', hashOf('a')))).mtimeMs, NOW);
  await put(folder.join('file'), 1, 0);
  await markUsed(folder.join('file'), hashOf('a'), NOW);
});
