/** Jobs whose outputs go to a real S3 service, as a person runs them: killed, resumed, refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Coordinators } from '../support/coordinators.ts';
import { until, Workbench, type Ended, type Mx8 } from '../support/mx8-process.ts';
import { ObjectOutputs } from '../support/object-outputs.ts';
import { signalAll } from '../support/trouble.ts';
import { S3_ENVIRONMENT, S3_KEY, S3_SECRET, VERSITYGW } from '../support/s3-service.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SMALL = ['--ram-gb', '1', '--workers', '1'];
const skip = VERSITYGW.missing;
const COUNT = 160;

let started: ObjectOutputs | null = null;

before(async () => {
  if (skip === false) started = await ObjectOutputs.start();
});

after(async () => {
  await started?.[Symbol.asyncDispose]();
});

function world(): ObjectOutputs {
  if (started === null) throw new Error('the service runs');
  started.troubled.decide = () => 'none';
  return started;
}

function environment(
  bench: Workbench,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    ...S3_ENVIRONMENT,
    MX8_S3_ENDPOINT_URL: started?.troubled.url ?? '',
    MX8_RUN_STATE: bench.path('runs'),
    ...more,
  };
}

function saysNoSecret({ stdout, stderr }: Ended): void {
  assert.ok(!stdout.includes(S3_SECRET) && !stderr.includes(S3_SECRET) && !stderr.includes(S3_KEY));
}

/** Each sample of the input once, and nothing but what the output is made of. */
async function assertWhole(location: string, count: number): Promise<void> {
  const s3 = world();
  const out = s3.open(location);
  const records = await s3.records(out);
  const ids = records.map((text) => (JSON.parse(text) as { sample_id: number }).sample_id);
  assert.deepEqual(
    ids,
    Array.from({ length: count }, (_, id) => id),
  );
  const kept = (await s3.all(out)).filter((name) => name.startsWith('_mx8/'));
  assert.deepEqual(kept, ['_mx8/job.json', '_mx8/manifest.tsv']);
  assert.equal(await out.abandonUnfinished(), 0);
}

test(
  'kill -9 of the whole run into a store, among faults, and --resume loses and doubles nothing',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const s3 = world();
    const data = await bench.files('in', COUNT);
    const out = 's3://bucket/killed';
    let asked = 0;
    s3.troubled.decide = ({ method }) => {
      asked += 1;
      if (method === 'GET' || asked % 11 !== 0) return 'none';
      return (['refused', 'reset', 'unheard'] as const)[asked % 3] ?? 'none';
    };
    const words = ['run', JOB, '--out', out, '--nodes', '2', ...SMALL];
    const mx8 = bench.start(
      [...words, '--data', data],
      environment(bench, { TEST_PAUSE_MS: '100' }),
    );
    await until(
      'some of it shows',
      async () => mx8.child.exitCode !== null || (await s3.visible(s3.open(out))).length >= 3,
    );
    assert.equal(mx8.child.exitCode, null, mx8.stderr());
    mx8.child.kill('SIGKILL');
    await mx8.ended;
    const resumed = await bench.run([...words, '--resume'], environment(bench));
    assert.equal(resumed.code, 0, resumed.stderr);
    saysNoSecret(resumed);
    s3.troubled.decide = () => 'none';
    await assertWhole(out, COUNT);
  },
);

test(
  'agents of a coordinator commit into a store, and one that stood still meanwhile changes nothing',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const s3 = world();
    const data = await bench.files('in', 160);
    const out = 's3://bucket/cluster';
    const job = ['--data', data, '--job-id', 'stored', '--block-size', '16'];
    const nodes = ['--world-size', '2', '--min-world-size', '1', '--lease-ttl-ms', '2000'];
    const args = [JOB, ...job, ...nodes, '--state', bench.path('state')];
    await using cluster = await Coordinators.create(bench, 1, args, {});
    cluster.start(0);
    await cluster.leader();
    const start = (name: string): Mx8 => {
      const node = ['--coord-url', cluster.url, '--job-id', 'stored', '--node-id', name];
      const pace = { TEST_PAUSE_MS: '150' };
      return bench.start(['agent', JOB, ...node, '--out', `${out}/`], environment(bench, pace));
    };
    const [still, other] = [start('still'), start('other')];
    await until('some of it shows', async () => (await s3.visible(s3.open(out))).length >= 2);
    signalAll(still, 'SIGSTOP');
    const { code, stderr } = await other.ended;
    assert.equal(code, 0, stderr);
    signalAll(still, 'SIGCONT');
    await still.ended;
    const records = await s3.records(s3.open(out));
    const ids = records.map((text) => (JSON.parse(text) as { sample_id: number }).sample_id);
    assert.deepEqual(
      ids,
      Array.from({ length: 160 }, (_, id) => id),
    );
    const verified = await bench.run(['verify', out], environment(bench));
    assert.match(verified.stdout, /verified 160 samples, .*: no differences/, verified.stderr);
  },
);

test(
  'a store that denies a write fails the job by the name of the object and says how to go on',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const data = await bench.files('in', 4);
    const words = ['run', JOB, '--out', 's3://bucket/denied', ...SMALL];
    world().troubled.decide = ({ method, url }) =>
      method === 'PUT' && url.includes('staging') ? 'denied' : 'none';
    const denied = await bench.run([...words, '--data', data], environment(bench));
    assert.match(
      denied.stderr,
      /could not write the output s3:\/\/bucket\/denied\/_mx8\/staging\/\S+: .*403/,
    );
    assert.match(
      denied.stderr,
      /0 of 4 samples are committed; go on with: .*--out s3:\/\/bucket\/denied .*--resume/,
    );
  },
);
