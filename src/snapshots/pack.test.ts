import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, readdir, rm, symlink, writeFile, utimes } from 'node:fs/promises';
import test from 'node:test';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.ts';
import { nodeRandom } from '../platform/random.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { extensionOf } from './pack-names.ts';
import { pack } from './pack.ts';
import type { PackOptions, PackProgress, PackResult } from './pack.ts';
import { readClasses } from './read-classes.ts';
import { resolveLink } from './resolve-link.ts';
import { verify } from './verify.ts';
import type { Difference } from './difference.ts';

const CLOCK = new EagerClock();

function packIn(
  folder: TemporaryFolder,
  more: Partial<PackOptions> = {},
  output = 'out',
): Promise<PackResult> {
  return pack(folder.join('in'), folder.join(output), {
    labels: 'auto',
    shardBytes: 1024 ** 2,
    clock: CLOCK,
    random: nodeRandom(),
    ...more,
  });
}

function storeOf(folder: TemporaryFolder): FsManifestStore {
  return new FsManifestStore({
    root: folder.join('store'),
    clock: CLOCK,
    random: nodeRandom(),
    events: new RecordingEvents(),
  });
}

/** A tar header put together by hand, from the table in POSIX. */
function expectedHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\x000000000\x000000000\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\x0000000000000\0        0`, 124);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(content: string): Buffer {
  return Buffer.concat([Buffer.from(content), Buffer.alloc(-content.length & 511)]);
}

test('a shard is byte for byte the headers, data, padding and two zero blocks', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/b.JPG': 'bb', 'in/a/x.y.json': 'a'.repeat(512), 'in/a-b': 'third' });
  const result = await packIn(folder);
  const shard = await readFile(folder.join('out/shards/shard-00000.tar'));
  const expected = Buffer.concat([
    expectedHeader('00000000000000000000.bin', 5),
    padded('third'),
    expectedHeader('00000000000000000001.json', 512),
    padded('a'.repeat(512)),
    expectedHeader('00000000000000000002.JPG', 2),
    padded('bb'),
    Buffer.alloc(1024),
  ]);
  assert.ok(shard.equals(expected));
  const path = folder.join('out/shards/shard-00000.tar');
  const manifest = await readFile(folder.join('out/_mx8/manifest.tsv'), 'utf8');
  assert.equal(
    manifest,
    `schema_version=0\n0\t${path}\t512\t5\t\n1\t${path}\t1536\t512\t\n2\t${path}\t2560\t2\t\n`,
  );
  assert.equal(result.hash, createHash('sha256').update(manifest).digest('hex'));
  assert.deepEqual(await readdir(folder.join('out/_mx8')), ['manifest.tsv']);
  assert.deepEqual(
    { ...result, hash: '' },
    {
      output: folder.join('out'),
      hash: '',
      sampleCount: 3,
      shardCount: 1,
      resumedShardCount: 0,
      bytes: 519,
      labels: null,
    },
  );
});

test('a new shard starts when the next entry would pass the shard size', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/1': 'a', 'in/2': 'b', 'in/3': 'x'.repeat(5000), 'in/4': 'd' });
  await packIn(folder, { shardBytes: 2048 });
  const sizes: number[] = [];
  for (const name of (await readdir(folder.join('out/shards'))).sort()) {
    sizes.push((await readFile(folder.join('out/shards', name))).length);
  }
  // Two entries of 1024 fit exactly; the larger one has a shard of its own.
  assert.deepEqual(sizes, [2048 + 1024, 512 + 5120 + 1024, 1024 + 1024]);
});

test('labels follow the byte order of the classes, and hints carry their ids', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a/1': 'x', 'in/a-b/1': 'x', 'in/größe 1/1': 'x', 'in/a/c/2': 'x' });
  const { labels } = await packIn(folder);
  assert.deepEqual(labels, ['a', 'a-b', 'größe 1']);
  assert.equal(
    await readFile(folder.join('out/_mx8/labels.tsv'), 'utf8'),
    'schema_version=1\n0\ta\n1\ta-b\n2\tgr%C3%B6%C3%9Fe%201\n',
  );
  const manifest = await readFile(folder.join('out/_mx8/manifest.tsv'), 'utf8');
  assert.deepEqual(
    [...manifest.matchAll(/;label_id=(\d)\n/g)].map((match) => match[1]),
    ['1', '0', '0', '2'],
  );
  const store = storeOf(folder);
  const link = { store, clock: CLOCK, events: new RecordingEvents() };
  const reader = await store.open((await resolveLink(folder.join('out'), link)).hash);
  assert.deepEqual(await readClasses(reader), labels);
  await reader.close();
});

test('auto labels only when every file has a class and there are two', async () => {
  for (const [files, mode, expected] of [
    [['a/1', 'b/1'], 'auto', 2],
    [['a/1', 'b/1'], 'none', null],
    [['a/1', 'a/2'], 'auto', null],
    [['a/1', 'a/2'], 'imagefolder', 1],
    [['a/1', 'b/1', 'c'], 'auto', null],
  ] as const) {
    await using folder = await temporaryFolder();
    await folder.write(Object.fromEntries(files.map((name) => [`in/${name}`, 'x'])));
    const { labels } = await packIn(folder, { labels: mode });
    assert.equal(labels?.length ?? null, expected, `${files.join(' ')} ${mode}`);
  }
});

test('imagefolder refuses a file without a class', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a/1': 'x', 'in/stray.jpg': 'x' });
  const error = await rejectsWith('label_missing', packIn(folder, { labels: 'imagefolder' }));
  assert.equal(error.details['location'], folder.join('in/stray.jpg'));
});

test('the extension is what follows the last dot when that is 1 to 8 characters', () => {
  const cases = {
    'a.jpg': 'jpg',
    'a.tar.gz': 'gz',
    'a.b/c': 'bin',
    'x.': 'bin',
    '.hidden': 'hidden',
  };
  for (const [path, extension] of Object.entries(cases)) {
    assert.equal(extensionOf(path), extension, path);
  }
  assert.equal(extensionOf('a.12345678'), '12345678');
  assert.equal(extensionOf('a.123456789'), 'bin');
  assert.equal(extensionOf('a.éééééééé'), 'éééééééé');
});

test('an empty file, an empty folder and a missing one are refused, and nothing is left', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a': 'x', 'in/b/empty.jpg': '' });
  const error = await rejectsWith('file_empty', packIn(folder));
  assert.equal(error.details['location'], folder.join('in/b/empty.jpg'));
  assert.deepEqual(await readdir(folder.path), ['in']);
  await rm(folder.join('in'), { recursive: true });
  await rejectsWith('input_missing', packIn(folder));
  await folder.write({ 'in/b/x': 'x' });
  await rm(folder.join('in/b/x'));
  await rejectsWith('input_empty', packIn(folder));
  assert.deepEqual(await readdir(folder.path), ['in']);
});

test('an output that is foreign, finished or inside the input is refused untouched', async () => {
  await using folder = await temporaryFolder();
  await folder.write({
    'in/a': 'x',
    'foreign/mine': 'x',
    'shardy/shards/x': 'x',
    'meta/_mx8/x': '',
  });
  for (const name of ['foreign', 'shardy', 'meta']) {
    await rejectsWith('output_occupied', packIn(folder, {}, name));
  }
  assert.equal(await readFile(folder.join('shardy/shards/x'), 'utf8'), 'x');
  await packIn(folder);
  const before = await readFile(folder.join('out/_mx8/manifest.tsv'));
  const error = await rejectsWith('output_occupied', packIn(folder));
  assert.match(error.message, /a packed data set is there already/);
  assert.ok(before.equals(await readFile(folder.join('out/_mx8/manifest.tsv'))));
  await rejectsWith('flag_invalid', packIn(folder, {}, 'in/out'));
  await rejectsWith('flag_invalid', packIn(folder, {}, 'in'));
  await symlink(folder.join('in'), folder.join('alias'));
  await rejectsWith('flag_invalid', packIn(folder, {}, 'alias/out'));
  assert.deepEqual(await readdir(folder.join('in')), ['a']);
});

test('a pack that is aborted before a shard is finished leaves nothing, and another run succeeds', async () => {
  await using folder = await temporaryFolder();
  const files = Array.from({ length: 1100 }, (_, index) => [`in/${index}`, 'x'.repeat(100)]);
  await folder.write(Object.fromEntries(files) as Record<string, string>);
  const stop = new AbortController();
  const onProgress = ({ phase }: PackProgress): void => {
    if (phase === 'packing') stop.abort(new Error('enough'));
  };
  await assert.rejects(packIn(folder, { onProgress, signal: stop.signal }), /enough/);
  assert.deepEqual(await readdir(folder.path), ['in']);
  assert.equal((await packIn(folder)).sampleCount, 1100);
});

test('what a killed pack left behind is replaced by the next', async () => {
  await using folder = await temporaryFolder();
  await folder.write({
    'in/a': 'new',
    'out/_mx8/packing/manifest.tsv': 'half',
    'out/_mx8/packing/shards/shard-00000.tar': 'half',
    'out/_mx8/labels.tsv': 'old',
    'out/shards/shard-00007.tar': 'old',
  });
  await packIn(folder);
  assert.deepEqual(await readdir(folder.join('out/shards')), ['shard-00000.tar']);
  assert.deepEqual(await readdir(folder.join('out/_mx8')), ['manifest.tsv']);
});

test('two packs into one folder do not meet', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a': 'x', 'in/b': 'x' });
  const both = await Promise.allSettled([packIn(folder), packIn(folder)]);
  const failed = both.filter((one) => one.status === 'rejected');
  assert.equal(failed.length, 1);
  await rejectsWith('output_occupied', Promise.reject(failed[0]?.reason as Error));
  assert.deepEqual(await readdir(folder.join('out/_mx8')), ['manifest.tsv']);
});

test('a linked file is packed under the name and class of its link', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'elsewhere/real': 'content', 'in/a/1.txt': 'x', 'in/b/2.txt': 'x' });
  await symlink(folder.join('elsewhere/real'), folder.join('in/b/1.jpg'));
  await packIn(folder);
  const shard = await readFile(folder.join('out/shards/shard-00000.tar'), 'latin1');
  assert.ok(shard.includes('00000000000000000001.jpg\0'));
  assert.ok(shard.includes('content'));
});

test('verify finds nothing in a fresh data set, and every kind of damage in a damaged one', async () => {
  await using folder = await temporaryFolder();
  for (let index = 0; index < 6; index += 1) {
    await folder.write({ [`in/${index}.txt`]: String(index).repeat(100 + index) });
  }
  await packIn(folder, { shardBytes: 2048 });
  const options = { store: storeOf(folder), clock: CLOCK, events: new RecordingEvents() };
  const clean = await verify(folder.join('out'), options);
  assert.deepEqual([clean.differenceCount, clean.bytes], [0, 615]);
  const shards = ['00000', '00001', '00002'].map((n) => folder.join(`out/shards/shard-${n}.tar`));
  const [first = '', second = '', third = ''] = shards;
  const bytes = await readFile(first);
  bytes.write('9', 19);
  expectedHeader('00000000000000000001.txt', 99).copy(bytes, 1024);
  await writeFile(first, bytes);
  await writeFile(second, (await readFile(second)).subarray(0, 1540));
  await rm(third);
  const told: Difference[] = [];
  const found = await verify(folder.join('out'), {
    ...options,
    onDifference: (difference) => told.push(difference),
  });
  assert.deepEqual(
    found.differences.map(({ sampleId, kind }) => [sampleId, kind]),
    [
      [0, 'header'],
      [1, 'header'],
      [3, 'shorter'],
      [4, 'missing'],
      [5, 'missing'],
    ],
  );
  assert.deepEqual(told, found.differences);
  assert.match(found.differences[0]?.what ?? '', /checksum/);
  assert.match(found.differences[1]?.what ?? '', /says 99 bytes, the manifest 101/);
  assert.ok(found.differences.every(({ what }) => /out\/shards\/shard-0000\d\.tar/.test(what)));
});

test('verify of loose files finds those that are gone, empty or no files', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a': 'x', 'in/b': 'x', 'in/c': 'x', 'in/d': 'xyz' });
  const options = { store: storeOf(folder), clock: CLOCK, events: new RecordingEvents() };
  assert.equal((await verify(folder.join('in'), options)).differenceCount, 0);
  await rm(folder.join('in/a'));
  await writeFile(folder.join('in/b'), '');
  await rm(folder.join('in/c'));
  await folder.write({ 'in/c/file': 'x' });
  await rm(folder.join('in/d'));
  execFileSync('mkfifo', [folder.join('in/d')]);
  const { differences, bytes } = await verify(folder.join('in'), options);
  assert.deepEqual(
    differences.map(({ sampleId, kind }) => [sampleId, kind]),
    [
      [0, 'missing'],
      [1, 'empty'],
      [2, 'unreadable'],
      [3, 'unreadable'],
    ],
  );
  assert.equal(bytes, 0);
});

test('verify tells a file that has another size than when it was pinned, and one written since', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a': 'aaaa', 'in/b': 'bbbb', 'in/c': 'cccc', 'in/d': 'dddd' });
  await writeFile(folder.join('list.tsv'), '0\tin/d\n');
  const options = { store: storeOf(folder), clock: CLOCK, events: new RecordingEvents() };
  for (const link of ['in', 'list.tsv']) {
    assert.equal((await verify(folder.join(link), options)).differenceCount, 0, link);
  }
  await writeFile(folder.join('in/a'), 'aaa');
  await writeFile(folder.join('in/b'), 'BBBB');
  await utimes(folder.join('in/b'), 5, 5);
  await writeFile(folder.join('in/d'), 'ddddd');
  const { differences } = await verify(folder.join('in'), options);
  assert.deepEqual(
    differences.map(({ sampleId, kind }) => [sampleId, kind]),
    [
      [0, 'resized'],
      [1, 'modified'],
      [3, 'resized'],
    ],
  );
  assert.match(differences[0]?.what ?? '', /in\/a has 3 bytes; it had 4 when it was pinned/);
  const listed = await verify(folder.join('list.tsv'), options);
  assert.deepEqual(
    listed.differences.map(({ kind }) => kind),
    ['resized'],
  );
  for (const link of ['in', 'list.tsv']) {
    const again = await verify(`${folder.join(link)}@refresh`, options);
    assert.equal(again.differenceCount, 0, `${link} is as it was pinned last`);
  }
});
