/** Packs that are killed at any moment, stopped, out of room, or refused a file: and gone on with. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack, type PackResult } from '../../src/snapshots/index.ts';
import { rejectsWith } from '../support/manifest-store-suite.ts';
import { smallDisk } from '../support/small-disk.ts';
import { Workbench } from '../support/mx8-process.ts';
import type { ObjectOutputs } from '../support/object-outputs.ts';
import { eachStore } from '../support/store-kinds.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const CHILD = fileURLToPath(new URL('../support/pack-child.ts', import.meta.url));
const SHARD_BYTES = 100_000;
const FILES = 300;
const NOBODY = 65_534;
const { onEach } = eachStore();

async function samples(folder: TemporaryFolder, bytesEach = 3000): Promise<string> {
  const files: Record<string, Buffer> = {};
  for (let index = 0; index < FILES; index += 1) {
    const name = `${index % 2 === 0 ? 'cats' : 'dogs'}/${String(index).padStart(4, '0')}.bin`;
    files[`in/${name}`] = Buffer.alloc(bytesEach + index * 31, name);
  }
  await folder.write(files);
  return folder.join('in');
}

function packed(
  input: string,
  output: string,
  { world, shardBytes = SHARD_BYTES }: { world?: ObjectOutputs; shardBytes?: number } = {},
): Promise<PackResult> {
  const [clock, random] = [nodeClock(), nodeRandom()];
  const places = world === undefined ? {} : { places: world.places };
  return pack(input, output, { labels: 'auto', shardBytes, clock, random, ...places });
}

function start(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

interface Line {
  readonly phase?: string;
  readonly samples?: number;
  readonly done?: PackResult;
  readonly code?: string;
  readonly message?: string;
}

/** Kills it when it has said so many lines; its last line where it ended before. */
async function untilLine(child: ChildProcess, count: number): Promise<Line> {
  assert.ok(child.stdout !== null);
  const exited = once(child, 'exit');
  let said = 0;
  let last: Line = {};
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line) as Line;
    said += 1;
    if (said === count) child.kill('SIGKILL');
  }
  await exited;
  return last;
}

/**
 * Killed at random, once in each of these stretches of what it says, and then let be. Each line is of 32 KiB, and at most eight
 * shards are begun and not finished: so after the last stretch some are.
 */
async function killedUntilDone(
  input: string,
  output: string,
  url: string,
  stretches: readonly (readonly [number, number])[],
): Promise<PackResult> {
  const args = [input, output, String(SHARD_BYTES), url];
  const random = nodeRandom();
  for (const [from, to] of stretches) {
    const line = from + Math.floor(random.fraction() * (to - from));
    const { done } = await untilLine(start(...args), line);
    if (done !== undefined) return done;
  }
  const { done } = await untilLine(start(...args), Infinity);
  return done ?? assert.fail('the last one is not killed');
}

/** Every file of a packed data set, with its own location taken out of the manifest. */
async function localFiles(output: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(output, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    files.set(path.slice(output.length + 1), await readFile(path));
  }
  return relocated(files, output);
}

async function remoteFiles(world: ObjectOutputs, output: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const out = world.open(output);
  for (const name of await world.all(out))
    files.set(name, Buffer.from((await out.read(name)) ?? []));
  return relocated(files, output);
}

function relocated(files: Map<string, Buffer>, output: string): Map<string, Buffer> {
  const manifest = files.get('_mx8/manifest.tsv')?.toString() ?? '';
  return files.set('_mx8/manifest.tsv', Buffer.from(manifest.replaceAll(output, 'OUT')));
}

function assertSame(actual: Map<string, Buffer>, expected: Map<string, Buffer>): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, bytes] of expected) assert.ok(actual.get(name)?.equals(bytes), name);
}

test('a pack into a folder that is killed again and again ends as if nothing had been', async () => {
  await using folder = await temporaryFolder();
  const input = await samples(folder);
  const stretches = [
    [1, 40],
    [45, 65],
  ] as const;
  const done = await killedUntilDone(input, folder.join('out'), '', stretches);
  const fresh = await packed(input, folder.join('fresh'));
  assert.deepEqual(
    [done.sampleCount, done.shardCount, done.bytes],
    [fresh.sampleCount, fresh.shardCount, fresh.bytes],
  );
  assert.ok(done.resumedShardCount > 0, 'finished shards were not written again');
  assertSame(await localFiles(folder.join('out')), await localFiles(folder.join('fresh')));
});

onEach('so does one into a store, and no upload is left', async (world) => {
  await using folder = await temporaryFolder();
  // Some larger than a part, which go up in several.
  await folder.write({ 'in/cats/large.bin': Buffer.alloc(9_000_000, 'large') });
  const input = await samples(folder);
  const output = world.at('killed');
  const stretches = [
    [1, 40],
    [50, 150],
    [200, 300],
  ] as const;
  const done = await killedUntilDone(input, output, world.troubled.url, stretches);
  const fresh = await packed(input, folder.join('fresh'));
  assert.equal(done.shardCount, fresh.shardCount);
  assert.ok(done.resumedShardCount > 0, 'finished shards were not written again');
  assertSame(await remoteFiles(world, output), await localFiles(folder.join('fresh')));
  assert.equal(await world.place.abandonUploads(`${output}/`), 0);
});

onEach(
  'another input into a store where an interrupted pack lies is refused until --refresh',
  async (world) => {
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    await folder.write({ 'other/a': 'x', 'other/b': 'y' });
    const output = world.at('differs');
    const child = start(input, output, String(SHARD_BYTES), world.troubled.url);
    await untilLine(child, 40);
    await using bench = await Workbench.create();
    const { environment } = world;
    const other = folder.join('other');
    const refused = await rejectsWith('pack_not_resumable', packed(other, output, { world }));
    assert.match(refused.message, /began with the input .*\/in, now the input .*\/other/);
    assert.match(refused.message, /--refresh to begin anew/);
    const args = ['pack', other, '--out', output, '--refresh'];
    const anew = await bench.run(args, environment);
    assert.equal(anew.code, 0, anew.stderr);
    const names = [...(await remoteFiles(world, output)).keys()].sort();
    assert.deepEqual(names, ['_mx8/manifest.tsv', 'shards/shard-00000.tar']);
  },
);

test('Ctrl-C says what is there and how to go on, and the same command does', async () => {
  await using folder = await temporaryFolder();
  const input = await samples(folder, 20_000);
  const out = folder.join('out');
  await using bench = await Workbench.create();
  const args = [
    'pack',
    input,
    '--out',
    out,
    '--shard-size',
    '64KiB',
    '--max-inflight-bytes',
    '64KiB',
  ];
  const first = bench.start(args);
  const shards = `${out}/_mx8/packing/shards`;
  const isThere = async (): Promise<boolean> => {
    const names = await readdir(shards).catch(() => []);
    return names.some((name) => name.endsWith('5.tar'));
  };
  while (!(await isThere()) && first.child.exitCode === null) await nodeClock().sleep(5);
  first.child.kill('SIGINT');
  const stopped = await first.ended;
  assert.equal(stopped.code, 130, stopped.stderr);
  assert.match(
    stopped.stderr,
    /stopped by SIGINT\. In .*out \d+ of \d+ shards are finished: the same command goes on there\./,
  );
  const second = await bench.run(args);
  assert.equal(second.code, 0, second.stderr);
  assert.match(
    second.stdout,
    /packed 300 samples .* into \d+ shards, \d+ of them by an interrupted/,
  );
});

test('a full disk ends a pack with a sentence, and the same command goes on once there is room', async (t) => {
  await using folder = await temporaryFolder();
  const input = await samples(folder, 20_000);
  const disk = smallDisk(folder.join('disk'), 5 * 1024 ** 2);
  if (disk === null) {
    t.skip('this user may not mount a file system');
    return;
  }
  try {
    await using bench = await Workbench.create();
    const out = folder.join('disk', 'out');
    const args = ['pack', input, '--out', out, '--shard-size', '512KiB'];
    const full = await bench.run(args);
    assert.equal(full.code, 1, full.stderr);
    assert.match(full.stderr, /Cannot write to .*: no space left on the device/);
    assert.match(full.stderr, /In .*out \d+ of \d+ shards are finished: the same command/);
    disk.grow(64 * 1024 ** 2);
    const { stdout, stderr, code } = await bench.run(args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\d+ of them by an interrupted pack before/);
    await packed(input, folder.join('fresh'), { shardBytes: 512 * 1024 });
    assertSame(await localFiles(out), await localFiles(folder.join('fresh')));
  } finally {
    disk.remove();
  }
});

test('a file that may not be read is named, and nothing is left of a pack that had no shard', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'all/in/a.txt': 'x', 'all/in/secret.txt': 'y' });
  await mkdir(folder.join('all/place'));
  const asRoot = process.getuid?.() === 0;
  if (asRoot) await chown(folder.join('all/place'), NOBODY, NOBODY);
  await chmod(folder.path, 0o755);
  await chmod(folder.join('all/in/secret.txt'), 0);
  const output = folder.join('all/place/out');
  const child = start(folder.join('all/in'), output, '65536', '', asRoot ? String(NOBODY) : '');
  const { code, message = '' } = await untilLine(child, 1000);
  assert.equal(code, 'sample_unreadable', message);
  assert.match(message, /all\/in\/secret\.txt may not be read by this user/);
  assert.deepEqual(await readdir(folder.join('all/place')), []);
});
