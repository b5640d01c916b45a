import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import test from 'node:test';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.ts';
import { nodeRandom } from '../platform/random.ts';
import { pack } from './pack.ts';
import type { PackLeft, PackOptions, PackProgress, PackResult } from './pack.ts';

const FILES = 60;
const SHARD_BYTES = 64 * 1024;

async function inputOf(folder: TemporaryFolder): Promise<void> {
  const files: Record<string, string> = {};
  for (let index = 0; index < FILES; index += 1) {
    files[`in/${index % 3}/${index}.txt`] = `${index} `.repeat(1000 + 100 * index);
  }
  await folder.write(files);
}

function packIn(
  folder: TemporaryFolder,
  more: Partial<PackOptions> = {},
  output = 'out',
  input = 'in',
): Promise<PackResult> {
  return pack(folder.join(input), folder.join(output), {
    labels: 'auto',
    shardBytes: SHARD_BYTES,
    clock: new EagerClock(),
    random: nodeRandom(),
    ...more,
  });
}

/** A pack of three shards at least that then fails, as the last file is gone. */
async function interrupted(folder: TemporaryFolder): Promise<PackLeft> {
  await inputOf(folder);
  const last = folder.join('in/2/8.txt');
  const left: PackLeft[] = [];
  let isMoved: Promise<void> | undefined;
  const onProgress = ({ phase }: PackProgress): void => {
    if (phase === 'packing') isMoved ??= rename(last, folder.join('aside'));
  };
  const onLeft = (what: PackLeft): void => void left.push(what);
  // So little at a time that shards are finished before it comes to the last file.
  const options = { onProgress, onLeft, maxInflightBytes: 16_384 };
  const failed = await rejectsWith('sample_missing', packIn(folder, options));
  assert.match(failed.message, /in\/2\/8\.txt is gone since the input was listed.*--refresh/);
  await isMoved;
  await rename(folder.join('aside'), last);
  const [only] = left;
  assert.ok(only !== undefined && only.finishedShards > 2 && only.finishedShards < only.shards);
  return only;
}

/** Every file by its path, relative to the output: its hash, with the output's own path taken out. */
async function contents(output: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(output, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    const bytes = (await readFile(path)).toString('latin1').replaceAll(output, 'OUT');
    found.set(path.slice(output.length), createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

async function assertAsFresh(folder: TemporaryFolder): Promise<void> {
  await packIn(folder, {}, 'fresh');
  assert.deepEqual(await contents(folder.join('out')), await contents(folder.join('fresh')));
}

function shardsIn(folder: TemporaryFolder): string {
  return folder.join('out/_mx8/packing/shards');
}

test('an interrupted pack is gone on with: finished shards stay as they are, and the end is the same', async () => {
  await using folder = await temporaryFolder();
  const left = await interrupted(folder);
  const names = await readdir(shardsIn(folder));
  assert.equal(names.length, left.finishedShards);
  const first = `${shardsIn(folder)}/shard-00000.tar`;
  const before = await stat(first);
  const shown: PackProgress[] = [];
  const result = await packIn(folder, { onProgress: (figures) => void shown.push(figures) });
  assert.equal(result.resumedShardCount, left.finishedShards);
  assert.equal(result.shardCount, left.shards);
  const after = await stat(folder.join('out/shards/shard-00000.tar'));
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
  const begun = shown.find(({ phase }) => phase === 'packing');
  assert.ok(begun !== undefined && begun.samples > 0 && begun.bytes > 0, 'it goes on from there');
  assert.deepEqual(
    [shown.at(-1)?.samples, shown.at(-1)?.samplesTotal, shown.at(-1)?.bytes],
    [FILES, FILES, result.bytes],
  );
  await assertAsFresh(folder);
});

test('what was listed is packed, whatever lies in the input by then', async () => {
  await using folder = await temporaryFolder();
  await interrupted(folder);
  await folder.write({ 'in/0/0.new': 'not listed' });
  const { sampleCount } = await packIn(folder);
  assert.equal(sampleCount, FILES);
});

test('a shard that is damaged, cut off, not noted or half is written again', async () => {
  await using folder = await temporaryFolder();
  const { finishedShards } = await interrupted(folder);
  const shards = shardsIn(folder);
  const damaged = await readFile(`${shards}/shard-00000.tar`);
  damaged[700] = 1;
  await writeFile(`${shards}/shard-00000.tar`, damaged);
  await truncate(`${shards}/shard-00001.tar`, 100);
  const journal = folder.join('out/_mx8/packing/done.jsonl');
  const lines = (await readFile(journal, 'utf8')).split('\n');
  const noted = lines.filter((line) => !line.includes('shard-00002.tar'));
  await writeFile(journal, `${noted.join('\n')}{"plan":"x","sha`);
  await writeFile(`${shards}/shard-00099.tar`, 'of nobody');
  await writeFile(`${shards}/shard-00003.tar.abc.part`, 'half');
  const result = await packIn(folder);
  assert.equal(result.resumedShardCount, finishedShards - 3);
  await assertAsFresh(folder);
});

test('another input or other options are refused with what differs and the way out', async () => {
  await using folder = await temporaryFolder();
  const { finishedShards } = await interrupted(folder);
  await folder.write({ 'other/a': 'x' });
  const differing: readonly (readonly [Partial<PackOptions>, RegExp, string?])[] = [
    [{ shardBytes: 4096 }, /began with --shard-size 65536, now --shard-size 4096\. .*--refresh/],
    [{ labels: 'none' }, /began with --labels auto, now --labels none/],
    [{ format: 'jsonl' }, /began with no --format, now --format jsonl/],
    [{}, /began with the input .*\/in, now the input .*\/other/, 'other'],
  ];
  for (const [options, expected, input] of differing) {
    const refused = await rejectsWith(
      'pack_not_resumable',
      packIn(folder, options, 'out', input ?? 'in'),
    );
    assert.match(refused.message, expected);
  }
  const list = folder.join('out/_mx8/packing/input.jsonl');
  const text = await readFile(list, 'utf8');
  for (const damage of [text.replace('0.txt', '1.txt'), text.slice(0, -5), '{}\n']) {
    await writeFile(list, damage);
    const refused = await rejectsWith('pack_not_resumable', packIn(folder));
    assert.match(refused.message, /input\.jsonl .* is damaged.*--refresh/);
  }
  await writeFile(list, text);
  assert.equal((await packIn(folder)).resumedShardCount, finishedShards, 'nothing was lost by it');
});

test('refresh removes what is there, lists again and begins anew', async () => {
  await using folder = await temporaryFolder();
  await interrupted(folder);
  await rm(folder.join('in/1'), { recursive: true });
  await writeFile(folder.join('out/_mx8/packing/plan.json'), 'of another version');
  await rejectsWith('pack_not_resumable', packIn(folder));
  const result = await packIn(folder, { refresh: true, shardBytes: 100_000 });
  assert.deepEqual([result.resumedShardCount, result.sampleCount], [0, (FILES * 2) / 3]);
  assert.deepEqual(await readdir(folder.join('out/_mx8')), ['labels.tsv', 'manifest.tsv']);
});

test('a pack that was interrupted between its last steps is finished by the next', async () => {
  await using folder = await temporaryFolder();
  await interrupted(folder);
  const packing = folder.join('out/_mx8/packing');
  // Shards in their place, the manifest not.
  await rename(`${packing}/shards`, folder.join('out/shards'));
  const kept: Record<string, string> = {};
  for (const name of ['plan.json', 'input.jsonl', 'done.jsonl']) {
    kept[`out/_mx8/packing/${name}`] = await readFile(`${packing}/${name}`, 'utf8');
  }
  await packIn(folder);
  // Everything in its place, and its own things not removed.
  await folder.write(kept);
  await rejectsWith('output_occupied', packIn(folder, { refresh: true }));
  await rejectsWith('output_occupied', packIn(folder, { labels: 'none' }));
  const again = await packIn(folder);
  assert.equal(again.resumedShardCount, again.shardCount);
  await assertAsFresh(folder);
  await rejectsWith('output_occupied', packIn(folder));
});

test('a file that changed size since it was listed is told with its name and the way out', async () => {
  await using folder = await temporaryFolder();
  for (const bytes of [100, 20_000_000]) {
    for (const change of [-1, 1]) {
      await folder.write({ 'in/a': 'x', 'in/b': 'y'.repeat(bytes) });
      let isChanged: Promise<void> | undefined;
      const onProgress = ({ phase }: PackProgress): void => {
        if (phase === 'packing') isChanged ??= truncate(folder.join('in/b'), bytes + change);
      };
      const options = { onProgress, shardBytes: 2 ** 30 };
      const error = await rejectsWith('sample_changed', packIn(folder, options));
      assert.match(error.message, /in\/b changed since the input was listed/);
      assert.match(error.message, /--refresh/);
      await isChanged;
      assert.deepEqual(await readdir(folder.path, { recursive: true }), ['in', 'in/a', 'in/b']);
    }
  }
});

test('an input inside the output is refused, and stays', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'all/in/a': 'x' });
  const error = await rejectsWith('output_occupied', packIn(folder, {}, 'all', 'all/in'));
  assert.match(error.message, /Cannot pack into .*all: it holds "in"/);
  assert.equal(await readFile(folder.join('all/in/a'), 'utf8'), 'x');
});
