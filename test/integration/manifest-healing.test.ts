/** A coordinator that leads without the manifest of its job: agents get it elsewhere, checked. */
import assert from 'node:assert/strict';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { jobId } from '../../src/core/base/units.ts';
import { checkOutput } from '../support/check-output.ts';
import { Coordinators, eventsOf } from '../support/coordinators.ts';
import { type Ended, type Mx8, until, Workbench } from '../support/mx8-process.ts';

const JOB_FILE = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SAMPLES = 48;

interface World extends AsyncDisposable {
  readonly bench: Workbench;
  readonly hash: string;
  agent(name: string, words?: readonly string[]): Mx8;
}

/**
 * As on two machines with a store each: the first coordinator pinned the manifest, the second one leads.
 * Agents have a store of their own, in `agents`.
 */
async function world(): Promise<World> {
  const bench = await Workbench.create();
  const data = await bench.files('in', SAMPLES);
  const cluster = await Coordinators.create(bench, 2, ['--state', bench.path('state')]);
  const store = (name: string): readonly string[] => ['--manifest-store', bench.path(name)];
  cluster.start(0, store('first'));
  await cluster.leader();
  const submitted = await bench.run(
    ['submit', JOB_FILE, '--data', data, '--job-id', 'j', '--block-size', '8', ...store('first')],
    { MX8_COORD_URL: cluster.url },
  );
  assert.equal(submitted.code, 0, submitted.stderr);
  cluster.start(1, store('second'));
  await until('the second stands by', async () => (await cluster.view(1))?.role === 'standby');
  cluster.mx8(0).child.kill('SIGTERM');
  await cluster.mx8(0).ended;
  cluster.start(0, store('first'));
  assert.equal((await cluster.leader()).index, 1);
  await until('the first stands by', async () => (await cluster.view(0))?.role === 'standby');
  const { spec } = await cluster.client.snapshot(jobId('j'));
  return {
    bench,
    hash: spec.manifestHash,
    agent: (name, words = []) =>
      bench.start(
        [
          ...['agent', JOB_FILE, '--coord-url', cluster.url, '--job-id', 'j', '--node-id', name],
          ...['--out', bench.path('out'), ...store('agents'), ...words],
        ],
        { MX8_LOG: 'info' },
      ),
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      await bench[Symbol.asyncDispose]();
    },
  };
}

function assertDone({ bench, hash }: World, { code, stderr }: Ended): void {
  assert.equal(code, 0, stderr);
  const { rows, missing, repeated, altered } = checkOutput(
    bench.path('first', 'by-hash', hash),
    bench.path('out'),
  );
  assert.deepEqual([rows, missing, repeated, altered], [SAMPLES, [], [], []]);
}

test('an agent takes the manifest that its leader lacks from the standby, and keeps it', async () => {
  await using healed = await world();
  const agent = healed.agent('n1');
  assertDone(healed, await agent.ended);
  const events = eventsOf(agent).filter(({ event }) => event === 'manifest_healed');
  assert.equal(events.length, 1);
  assert.match(String(events[0]?.['from']), /^coordinator 127\.0\.0\.1:/);
  assert.deepEqual(await readdir(healed.bench.path('agents', 'by-hash')), [healed.hash]);
});

test('a damaged copy is refused with both hashes, and a good one is used as soon as it is there', async () => {
  await using healed = await world();
  const kept = healed.bench.path('first', 'by-hash', healed.hash);
  const good = await readFile(kept);
  const bad = Buffer.concat([good.subarray(0, good.length - 2), Buffer.from('x\n')]);
  await rm(kept);
  await writeFile(kept, bad);
  const agent = healed.agent('n1');
  await until('it waits', () => eventsOf(agent).some(({ event }) => event === 'manifest_wait'));
  const refused = eventsOf(agent).find(({ event }) => event === 'manifest_refused');
  assert.match(String(refused?.['message']), new RegExp(`must hash to ${healed.hash}`));
  assert.match(String(refused?.['message']), /bytes hash to [0-9a-f]{64}/);
  await writeFile(kept, good);
  assertDone(healed, await agent.ended);
});

test('with --manifest-healing off the job fails with what the leader says', async () => {
  await using healed = await world();
  const { code, stderr } = await healed.agent('n1', ['--manifest-healing', 'off']).ended;
  assert.equal(code, 3, stderr);
  assert.match(stderr, new RegExp(`has no manifest ${healed.hash}`));
});
