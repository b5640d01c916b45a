import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { promisify } from 'node:util';

import { manifestHash } from '../../src/core/base/units.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { FsManifestStore, pack, resolveLink } from '../../src/snapshots/index.ts';
import { rejectsWith } from '../support/manifest-store-suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
const CHILD = new URL('../support/snapshot-child.ts', import.meta.url).pathname;
const clock = nodeClock();
const random = nodeRandom();
const events = { emit: () => undefined };

function start(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Waits for the first line that the child says. */
async function firstLine(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) return line;
  return assert.fail('the child ended without a word');
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  child.stdout?.destroy();
}

function storeIn(folder: TemporaryFolder): FsManifestStore {
  return new FsManifestStore({ root: folder.join('store'), clock, random, events });
}

async function filesIn(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    files.set(path.slice(folder.length), await readFile(path, 'latin1'));
  }
  return files;
}

test('tar lists and extracts the shards', async () => {
  await using folder = await temporaryFolder();
  const contents = ['first', 'x'.repeat(1000), 'third'];
  await folder.write({
    'in/a.txt': contents[0] ?? '',
    'in/b/c': contents[1] ?? '',
    'in/d.jpg': 'third',
  });
  await pack(folder.join('in'), folder.join('out'), {
    labels: 'none',
    shardBytes: 1024 ** 2,
    clock,
    random,
  });
  const shard = folder.join('out/shards/shard-00000.tar');
  const { stdout, stderr } = await run('tar', ['--utc', '-tvf', shard]);
  assert.equal(stderr, '');
  const expected = ['5 .*0.txt', '1000 .*1.bin', '5 .*2.jpg'];
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  for (const [index, pattern] of expected.entries()) {
    assert.match(lines[index] ?? '', /^-rw-r--r-- 0\/0 .*1970-01-01 00:00 0{19}/);
    assert.match(lines[index] ?? '', new RegExp(`${pattern}$`));
  }
  await mkdir(folder.join('extracted'));
  await run('tar', ['-xf', shard, '-C', folder.join('extracted')]);
  const names = (await readdir(folder.join('extracted'))).sort();
  for (const [index, name] of names.entries()) {
    assert.equal(await readFile(folder.join('extracted', name), 'utf8'), contents[index]);
  }
});

test('resolvers in several processes end with one snapshot', async () => {
  await using folder = await temporaryFolder();
  const files = Array.from({ length: 500 }, (_, index) => [`in/${index % 7}/${index}`, 'x']);
  await folder.write(Object.fromEntries(files) as Record<string, string>);
  const children = Array.from({ length: 4 }, () =>
    start('resolve', folder.join('store'), folder.join('in')),
  );
  const lines = await Promise.all(
    children.map(async (child) => {
      const exited = once(child, 'exit');
      const line = await firstLine(child);
      assert.deepEqual(await exited, [0, null]);
      return JSON.parse(line) as { hash: string; isNew: boolean; sampleCount: number };
    }),
  );
  assert.equal(new Set(lines.map(({ hash }) => hash)).size, 1);
  assert.equal(lines.filter(({ isNew }) => isNew).length, 1);
  assert.equal(lines[0]?.sampleCount, 500);
  assert.deepEqual(await readdir(folder.join('store/locks')), []);
});

test('the lock of a killed resolver does not keep the next one waiting', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a': 'x' });
  const holder = start('hold', folder.join('store'), folder.join('in'));
  assert.equal(await firstLine(holder), '"locked"');
  const store = new FsManifestStore({
    root: folder.join('store'),
    clock,
    random,
    events,
    lockWaitMsMax: 0,
  });
  const link = folder.join('in');
  const options = { store, clock, events };
  const error = await rejectsWith('manifest_lock_timeout', resolveLink(link, options));
  assert.match(error.message, new RegExp(`process ${holder.pid} on`));
  await kill(holder);
  assert.equal((await resolveLink(link, options)).isNew, true);
  assert.deepEqual(await readdir(folder.join('store/locks')), []);
});

test('a pack that is killed looks unfinished, and running it again gives the same as ever', async () => {
  await using folder = await temporaryFolder();
  for (let index = 0; index < 3000; index += 1) {
    await folder.write({
      [`in/${index % 10}/${index}.txt`]: `${index}\n`.repeat(1 + (index % 50)),
    });
  }
  const child = start('pack', folder.join('store'), folder.join('in'), folder.join('out'));
  await firstLine(child);
  await kill(child);
  assert.deepEqual(await readdir(folder.join('out')), ['_mx8']);
  assert.ok((await readdir(folder.join('out/_mx8'))).includes('packing'));
  const store = storeIn(folder);
  await rejectsWith('input_empty', resolveLink(folder.join('out'), { store, clock, events }));
  const options = { labels: 'none', shardBytes: 64 * 1024, clock, random } as const;
  const again = await pack(folder.join('in'), folder.join('out'), options);
  const resolved = await resolveLink(again.output, { store, clock, events });
  assert.equal(resolved.hash, manifestHash(again.hash));
  const fresh = await pack(folder.join('in'), folder.join('fresh'), options);
  assert.equal(fresh.sampleCount, 3000);
  const relocated = (path: string, content: string): string =>
    path.endsWith('manifest.tsv')
      ? content.replaceAll(folder.join('fresh'), again.output)
      : content;
  const expected = await filesIn(folder.join('fresh'));
  const actual = await filesIn(folder.join('out'));
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [path, content] of expected) {
    assert.ok(actual.get(path) === relocated(path, content), path);
  }
});
