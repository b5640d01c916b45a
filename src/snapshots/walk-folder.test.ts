import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import test from 'node:test';

import { rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { emptyTally, leftOutOf, walkFolder } from './walk-folder.ts';
import type { FoundFile, WalkOptions, WalkTally } from './walk-folder.ts';

async function walk(
  root: string,
  more: Partial<WalkOptions> = {},
): Promise<{ files: FoundFile[]; tally: WalkTally }> {
  const tally = emptyTally();
  const files: FoundFile[] = [];
  const options = { root, order: 'components', skippedNames: new Set<string>(), ...more } as const;
  for await (const batch of walkFolder(options, tally)) files.push(...batch);
  return { files, tally };
}

async function paths(root: string, order: WalkOptions['order']): Promise<string[]> {
  return (await walk(root, { order })).files.map((file) => file.path);
}

const NAMES = ['a/b', 'a/b-c/d', 'a/b/e', 'a-b', 'a.x', 'Z/1', 'é/ü', '\uffee/x', '😀/y', 'a0/1'];

test('files come component by component, or in the byte order of their whole paths', async () => {
  await using folder = await temporaryFolder();
  const names = NAMES.filter((name) => name !== 'a/b');
  await folder.write(Object.fromEntries(names.map((name) => [name, 'x'])));
  const byBytes = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const byComponents = names.toSorted((a, b) =>
    Buffer.compare(Buffer.from(a.replaceAll('/', '\0')), Buffer.from(b.replaceAll('/', '\0'))),
  );
  assert.notDeepEqual(byBytes, byComponents);
  assert.deepEqual(await paths(folder.path, 'bytes'), byBytes);
  assert.deepEqual(await paths(folder.path, 'components'), byComponents);
});

test('links to files and folders are followed to their canonical paths', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'data/own': 'x', 'elsewhere/file': 'x', 'elsewhere/deep/file': 'x' });
  await symlink(folder.join('elsewhere/file'), folder.join('data/to-file'));
  await symlink('../elsewhere', folder.join('data/to-folder'));
  const { files } = await walk(folder.join('data'));
  assert.deepEqual(
    files.map(({ path, realPath }) => [path, realPath.slice(folder.path.length + 1)]),
    [
      ['own', 'data/own'],
      ['to-file', 'elsewhere/file'],
      ['to-folder/deep/file', 'elsewhere/deep/file'],
      ['to-folder/file', 'elsewhere/file'],
    ],
  );
});

test('links that lead back to a folder on the way are not followed', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'data/a/file': 'x', 'other/x': 'x' });
  await symlink('..', folder.join('data/a/up'));
  await symlink('../..', folder.join('data/a/above'));
  await symlink('.', folder.join('data/self'));
  await symlink('../data', folder.join('other/back'));
  await symlink('../other', folder.join('data/other'));
  const { files, tally } = await walk(folder.join('data'));
  assert.deepEqual(
    files.map(({ path }) => path),
    ['a/file', 'other/x'],
  );
  assert.equal(tally.linkLoops, 4);
});

test('what is no file is passed over and counted, and skipped names at any depth', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'a/_mx8/x': 'x', 'shards/x': 'x', 'a/b': 'x', 'a/shards': 'x' });
  execFileSync('mkfifo', [folder.join('pipe'), folder.join('a/other')]);
  await symlink('/dev/null', folder.join('z'));
  const { files, tally } = await walk(folder.path, { skippedNames: new Set(['_mx8', 'shards']) });
  assert.deepEqual(
    files.map(({ path }) => path),
    ['a/b'],
  );
  const { skippedEntries, specialFiles, linkLoops } = tally;
  assert.deepEqual([skippedEntries, specialFiles, linkLoops], [3, 3, 0]);
  const { first, ...left } = leftOutOf(tally) ?? {};
  assert.deepEqual(left, {
    message: 'left out, as they are no files: 2 pipes and 1 device',
    pipes: 2,
    devices: 1,
  });
  assert(typeof first === 'string' && first.startsWith(folder.path));
  assert.equal(leftOutOf(emptyTally()), null);
});

test('a link to nothing is an error with its path', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('a'));
  await symlink('nowhere', folder.join('a/broken'));
  const error = await rejectsWith('sample_unreadable', walk(folder.path));
  assert.equal(error.details['location'], folder.join('a/broken'));
  assert.match(error.message, /broken is a symbolic link to nothing: nowhere is not there/);
});

test('a name that is not UTF-8 is an error, one with U+FFFD in it is a name', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'a/\ufffd': 'x' });
  assert.deepEqual(await paths(folder.path, 'bytes'), ['a/\ufffd']);
  await writeFile(Buffer.concat([Buffer.from(folder.join('a', 'bad-')), Buffer.from([0xff])]), 'x');
  const error = await rejectsWith('sample_unreadable', walk(folder.path));
  assert.match(error.message, /bad-\ufffd is not UTF-8/);
});

test('a walk ends when its signal aborts', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ x: 'x' });
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(walk(folder.path, { signal }), /enough/);
});
