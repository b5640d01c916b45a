/** Jobs whose outputs go to stores of every kind, as a person runs them: killed, resumed, refused. */
import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Coordinators } from '../support/coordinators.ts';
import { until, Workbench, type Ended, type Mx8 } from '../support/mx8-process.ts';
import type { ObjectOutputs } from '../support/object-outputs.ts';
import { signalAll } from '../support/trouble.ts';
import { eachStore, isWrite, S3 } from '../support/store-kinds.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SMALL = ['--ram-gb', '1', '--workers', '1'];
const COUNT = 160;
const { onEach } = eachStore();

function environment(
  world: ObjectOutputs,
  bench: Workbench,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    ...world.environment,
    MX8_RUN_STATE: bench.path('runs'),
    ...more,
  };
}

function saysNoSecret({ kind }: ObjectOutputs, { stdout, stderr }: Ended): void {
  for (const secret of kind.secrets) assert.ok(!`${stdout}${stderr}`.includes(secret));
}

/** Each sample of the input once, and nothing but what the output is made of. */
async function assertWhole(world: ObjectOutputs, location: string, count: number): Promise<void> {
  const out = world.open(location);
  const records = await world.records(out);
  const ids = records.map((text) => (JSON.parse(text) as { sample_id: number }).sample_id);
  assert.deepEqual(
    ids,
    Array.from({ length: count }, (_, id) => id),
  );
  const kept = (await world.all(out)).filter((name) => name.startsWith('_mx8/'));
  assert.deepEqual(kept, ['_mx8/job.json', '_mx8/manifest.tsv']);
  assert.equal(await out.abandonUnfinished(), 0);
}

onEach(
  'kill -9 of the whole run into a store, among faults, and --resume loses and doubles nothing',
  async (world) => {
    await using bench = await Workbench.create();
    const data = await bench.files('in', COUNT);
    const out = world.at('killed');
    let asked = 0;
    world.troubled.decide = ({ method, url }) => {
      asked += 1;
      if (!isWrite({ method, url }) || asked % 11 !== 0) return 'none';
      return (['refused', 'reset', 'unheard'] as const)[asked % 3] ?? 'none';
    };
    const place = {
      MX8_MANIFEST_STORE_ROOT: world.at('manifests'),
      HOME: bench.path('home'),
    };
    const words = ['run', JOB, '--out', out, '--nodes', '2', ...SMALL];
    const mx8 = bench.start(
      [...words, '--data', data],
      environment(world, bench, { ...place, TEST_PAUSE_MS: '100' }),
    );
    await until(
      'some of it shows',
      async () => mx8.child.exitCode !== null || (await world.visible(world.open(out))).length >= 3,
    );
    assert.equal(mx8.child.exitCode, null, mx8.stderr());
    mx8.child.kill('SIGKILL');
    await mx8.ended;
    const resumed = await bench.run([...words, '--resume'], environment(world, bench, place));
    assert.equal(resumed.code, 0, resumed.stderr);
    saysNoSecret(world, resumed);
    world.troubled.decide = () => 'none';
    await assertWhole(world, out, COUNT);
    const manifests = await world.all(world.open(world.at('manifests')));
    assert.ok(
      manifests.some((name) => name.startsWith('by-hash/')),
      String(manifests),
    );
  },
);

onEach(
  'agents of a coordinator commit into a store, and one that stood still meanwhile changes nothing',
  async (world) => {
    await using bench = await Workbench.create();
    const data = await bench.files('in', 160);
    const out = world.at('cluster');
    const job = ['--data', data, '--job-id', 'stored', '--block-size', '16'];
    const nodes = ['--world-size', '2', '--min-world-size', '1', '--lease-ttl-ms', '2000'];
    const args = [JOB, ...job, ...nodes, '--state', bench.path('state')];
    await using cluster = await Coordinators.create(bench, 1, args, {});
    cluster.start(0);
    await cluster.leader();
    const start = (name: string): Mx8 => {
      const node = ['--coord-url', cluster.url, '--job-id', 'stored', '--node-id', name];
      const pace = { TEST_PAUSE_MS: '150' };
      return bench.start(
        ['agent', JOB, ...node, '--out', `${out}/`],
        environment(world, bench, pace),
      );
    };
    const [still, other] = [start('still'), start('other')];
    await until('some of it shows', async () => (await world.visible(world.open(out))).length >= 2);
    signalAll(still, 'SIGSTOP');
    const { code, stderr } = await other.ended;
    assert.equal(code, 0, stderr);
    signalAll(still, 'SIGCONT');
    await still.ended;
    const records = await world.records(world.open(out));
    const ids = records.map((text) => (JSON.parse(text) as { sample_id: number }).sample_id);
    assert.deepEqual(
      ids,
      Array.from({ length: 160 }, (_, id) => id),
    );
    const verified = await bench.run(['verify', out], environment(world, bench));
    assert.match(verified.stdout, /verified 160 samples, .*: no differences/, verified.stderr);
  },
);

onEach(
  'a store that denies a write fails the job by the name of the object and says how to go on',
  async (world) => {
    await using bench = await Workbench.create();
    const data = await bench.files('in', 4);
    const words = ['run', JOB, '--out', world.at('denied'), ...SMALL];
    world.troubled.decide = ({ method, url }) =>
      isWrite({ method, url }) && url.includes('staging') ? 'denied' : 'none';
    const denied = await bench.run([...words, '--data', data], environment(world, bench));
    assert.match(
      denied.stderr,
      /could not write the output \w+:\/\/\w+\/denied\/_mx8\/staging\/\S+: .*403/,
    );
    assert.match(
      denied.stderr,
      /0 of 4 samples are committed; go on with: .*--out \w+:\/\/\w+\/denied .*--resume/,
    );
  },
  [S3],
);

onEach(
  'the state of a finished run goes when another begins, with a sentence for who would go on; an interrupted one stays',
  async (world) => {
    await using bench = await Workbench.create();
    const data = await bench.files('in', 4);
    const words = (out: string): string[] => ['run', JOB, '--out', world.at(out), ...SMALL];
    const run = (out: string, ...more: string[]): Promise<Ended> =>
      bench.run([...words(out), ...more], environment(world, bench));
    const runs = bench.path('runs');
    const age = async (): Promise<void> => {
      const oldS = Date.now() / 1000 - 40 * 86_400;
      for (const name of await readdir(runs, { recursive: true })) {
        await utimes(join(runs, name), oldS, oldS);
      }
    };
    const done = await run('tidied', '--data', data);
    assert.equal(done.code, 0, done.stderr);
    const [finished] = await readdir(runs);
    await age();
    world.troubled.decide = (asked) =>
      isWrite(asked) && asked.url.includes('staging') ? 'denied' : 'none';
    const denied = await run('interrupted', '--data', data);
    assert.notEqual(denied.code, 0);
    assert.match(denied.stderr, /finished_runs_removed/);
    world.troubled.decide = () => 'none';
    const left = await readdir(runs);
    assert.ok(left.length === 1 && finished !== undefined && !left.includes(finished));

    const again = await run('tidied', '--resume');
    assert.match(
      again.stderr,
      /tidied is the finished one of job \S+, manifest [0-9a-f]{64}: there is nothing/,
    );
    await age();
    const cleaned = await bench.run(['clean'], environment(world, bench));
    assert.match(cleaned.stdout, /kept run .*interrupted: --resume goes on with it/);
    const resumed = await run('interrupted', '--resume');
    assert.equal(resumed.code, 0, resumed.stderr);
    await assertWhole(world, world.at('interrupted'), 4);
  },
  [S3],
);
