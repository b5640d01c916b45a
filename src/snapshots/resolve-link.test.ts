import assert from 'node:assert/strict';
import { readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import test from 'node:test';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { recordsOf, rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.ts';
import { nodeRandom } from '../platform/random.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { resolveLink } from './resolve-link.ts';
import type { ResolveProgress, ResolvedLink } from './resolve-link.ts';

class Bench {
  readonly folder: TemporaryFolder;
  readonly events = new RecordingEvents();
  readonly progress: ResolveProgress[] = [];
  readonly clock = new EagerClock();

  constructor(folder: TemporaryFolder) {
    this.folder = folder;
  }

  store(): FsManifestStore {
    const { folder, clock, events } = this;
    return new FsManifestStore({ root: folder.join('store'), clock, random: nodeRandom(), events });
  }

  resolve(link: string): Promise<ResolvedLink> {
    const { clock, events } = this;
    const onProgress = (progress: ResolveProgress): number => this.progress.push(progress);
    return resolveLink(link, { store: this.store(), clock, events, onProgress });
  }

  async locations({ hash, sampleCount }: ResolvedLink): Promise<string[]> {
    const reader = await this.store().open(hash);
    const records = await recordsOf(reader, 0, sampleCount);
    await reader.close();
    return records.map(({ location }) => relative(this.folder.path, location));
  }
}

test('a bare folder is indexed by component, whole files, without hints', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({
    'in/a-b': 'x',
    'in/a/b': 'x',
    'in/_mx8/note': 'x',
    'in/c/shards/x': 'x',
    'in/c/d': '',
  });
  const resolved = await bench.resolve(folder.join('in'));
  assert.deepEqual(await bench.locations(resolved), ['in/a/b', 'in/a-b', 'in/c/d']);
  const reader = await bench.store().open(resolved.hash);
  const bytes = Buffer.from(await reader.sliceBytes(0, 1)).toString();
  await reader.close();
  assert.equal(bytes, `0\t${folder.join('in/a/b')}\t\t\t\n`);
  assert.deepEqual(
    { isNew: resolved.isNew, samples: resolved.sampleCount, base: resolved.base },
    { isNew: true, samples: 3, base: folder.join('in') },
  );
  const [summary] = bench.events.of('snapshot_index_summary');
  assert.equal(summary?.['samples'], 3);
  assert.equal(summary?.['manifest_hash'], resolved.hash);
  assert.equal(summary?.['skipped_entries'], 2);
  assert.deepEqual(bench.progress.at(-1), { phase: 'indexing', samples: 3 });
});

test('a plain link keeps its snapshot, @refresh takes a new one, a pin stays', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a': 'x' });
  const link = folder.join('in');
  const first = await bench.resolve(link);
  await folder.write({ 'in/b': 'x' });
  const second = await bench.resolve(`${link}/`);
  assert.deepEqual([second.hash, second.isNew], [first.hash, false]);
  assert.equal(first.takenUnixMs, null);
  assert.ok(second.takenUnixMs !== null && second.takenUnixMs > 1_700_000_000_000);
  const [reused] = bench.events.of('snapshot_reused');
  assert.deepEqual(
    [reused?.['manifest_hash'], reused?.['refresh'], reused?.['taken_unix_ms']],
    [first.hash, `${link}@refresh`, second.takenUnixMs],
  );
  const third = await bench.resolve(`${link}@refresh`);
  assert.deepEqual([third.isNew, third.sampleCount], [true, 2]);
  assert.equal((await bench.resolve(link)).hash, third.hash);
  await rm(link, { recursive: true });
  assert.equal((await bench.resolve(first.pinnedLink)).hash, first.hash);
  assert.equal((await bench.resolve(link)).hash, third.hash);
});

test('a relative link and the absolute one are one base', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a': 'x' });
  const absolute = await bench.resolve(folder.join('in'));
  const typed = await bench.resolve(relative(process.cwd(), folder.join('in')));
  assert.deepEqual([typed.isNew, typed.base], [false, absolute.base]);
  assert.equal((await bench.resolve(`file://${folder.join('in')}`)).isNew, false);
});

test('a snapshot whose bytes are gone from the store is taken anew', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a': 'x' });
  const first = await bench.resolve(folder.join('in'));
  await rm(folder.join('store/by-hash', first.hash), { force: true });
  const again = await bench.resolve(folder.join('in'));
  assert.deepEqual([again.hash, again.isNew], [first.hash, true]);
});

test('a dev manifest counts relative locations from its own folder', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'lists/dev.tsv': '# two\r\n1\t../in/b\n0\t/abs/a\t0\t5\n' });
  await symlink(folder.join('lists/dev.tsv'), folder.join('link.tsv'));
  for (const link of ['lists/dev.tsv', 'link.tsv']) {
    const resolved = await bench.resolve(folder.join(link));
    const reader = await bench.store().open(resolved.hash);
    const [first, second] = await recordsOf(reader, 0, 2);
    await reader.close();
    assert.deepEqual([first?.location, first?.byteLength], ['/abs/a', 5]);
    assert.equal(second?.location, folder.join('in/b'));
  }
});

test('a canonical manifest and the same one in disorder have one hash', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({
    'good.tsv': 'schema_version=0\n0\t/a\t\t\t\n1\ts3://b/c\t1\t2\th=1\n',
    'wild.tsv': '\n# c\nschema_version=0\r\n1\ts3://b/c\t1\t2\th=1\n\n0\t/a\t\t\t\r\n',
  });
  const good = await bench.resolve(folder.join('good.tsv'));
  assert.equal((await bench.resolve(folder.join('wild.tsv'))).hash, good.hash);
});

test('a folder with a packed manifest is that manifest, which must have its header', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({
    'packed/_mx8/manifest.tsv': 'schema_version=0\n0\t/x/shards/s.tar\t512\t3\t\n',
    'packed/stray': 'x',
  });
  const resolved = await bench.resolve(folder.join('packed'));
  assert.equal(resolved.sampleCount, 1);
  await writeFile(folder.join('packed/_mx8/manifest.tsv'), '0\t/x\n');
  const error = await rejectsWith('manifest_invalid', bench.resolve(`${resolved.base}@refresh`));
  assert.match(error.message, /^Line 1 of .*packed\/_mx8\/manifest\.tsv: the header/);
});

test('resolvers that race for a first snapshot end with one', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a': 'x', 'in/b': 'x' });
  const links = await Promise.all(
    Array.from({ length: 6 }, () => bench.resolve(folder.join('in'))),
  );
  assert.equal(new Set(links.map(({ hash }) => hash)).size, 1);
  assert.equal(links.filter(({ isNew }) => isNew).length, 1);
  assert.equal(bench.events.of('snapshot_index_summary').length, 1);
  assert.deepEqual(await readdir(folder.join('store/locks')), []);
});

test('each mistake has a code and a sentence that names the place', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({
    'empty/_mx8/x': 'x',
    'file.bin': 'x',
    'none.tsv': 'schema_version=0\n',
    'gap.tsv': '0\t/a\n2\t/c\n',
    'tab/a\tb': 'x',
  });
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['nowhere', 'input_missing', /nowhere: no such file/],
    ['nowhere@sha256:123', 'input_missing', /write @sha256: and 64 hex digits/],
    ['empty', 'input_empty', /empty holds no file besides what is named _mx8 or shards/],
    ['file.bin', 'link_invalid', /neither a folder nor a \.tsv manifest/],
    ['none.tsv', 'input_empty', /lists no sample/],
    ['gap.tsv', 'manifest_invalid', /Line 2 of .*gap\.tsv/],
    ['tab', 'sample_unreadable', /a\\tb" has a tab or a line break/],
    [`x@sha256:${'0'.repeat(64)}`, 'manifest_missing', /no manifest 0000/],
  ];
  for (const [link, code, sentence] of cases) {
    const error = await rejectsWith(code, bench.resolve(folder.join(link)));
    assert.match(error.message, sentence);
  }
  const error = await rejectsWith('scheme_unsupported', bench.resolve('s3://bucket/x'));
  assert.match(error.message, /not s3:\/\//);
  await rejectsWith('link_invalid', bench.resolve('@refresh'));
  const bucket = await rejectsWith('link_invalid', bench.resolve('s3://'));
  assert.match(bucket.message, /^s3:\/\/ names no bucket: it takes s3:\/\/NAME\/PREFIX\.$/);
  const server = await rejectsWith('link_invalid', bench.resolve('https:///x'));
  assert.match(server.message, /names no server/);
});

test('a link that cannot be resolved leaves no lock and no current snapshot', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'gap.tsv': '0\t/a\n2\t/c\n' });
  await rejectsWith('input_missing', bench.resolve(folder.join('nowhere')));
  assert.deepEqual(await readdir(folder.path), ['gap.tsv']);
  await rejectsWith('manifest_invalid', bench.resolve(folder.join('gap.tsv')));
  assert.deepEqual(await readdir(folder.join('store/locks')), []);
  assert.deepEqual(await readdir(folder.join('store/tmp')), []);
});
