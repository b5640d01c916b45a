/** What docs/operations.md says of backups, executed as it is printed on a job in its middle. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { jobId } from '../../src/core/base/units.ts';
import { checkOutput } from '../support/check-output.ts';
import { Coordinators } from '../support/coordinators.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';
import { readRunbook } from '../support/runbook.ts';
import { readText, ROOT } from '../support/tidy/sources.ts';

const JOB_FILE = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SAMPLES = 240;
const BLOCKS = readRunbook(readText('docs/operations.md')).blocks;

async function type(name: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const script = BLOCKS.get(name)?.script ?? `false # ${name}`;
  const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const shell = spawn('bash', ['-ec', script], {
    cwd: ROOT,
    env: { ...process.env, PATH, NPM_CONFIG_UPDATE_NOTIFIER: 'false', ...variables },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  assert.deepEqual(await once(shell, 'close'), [0, null], script);
}

test('a job goes on from a backup, and each sample is in its output once', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', SAMPLES);
  const out = bench.path('out');
  const job = [JOB_FILE, '--data', data, '--job-id', 'j', '--block-size', '8'];
  const state = ['--state', bench.path('state')];
  await using cluster = await Coordinators.create(bench, 1, [...job, ...state]);
  const committed = async (): Promise<number> =>
    (await cluster.client.snapshot(jobId('j'))).samples.committed;
  const agent = (pauseMs: number): Mx8 =>
    bench.start(['agent', JOB_FILE, '--coord-url', cluster.url, '--job-id', 'j', '--out', out], {
      TEST_PAUSE_MS: String(pauseMs),
    });
  cluster.start(0);
  await cluster.leader();
  const slow = agent(100);
  await until('some is committed', async () => (await committed()) >= 24);
  await mkdir(bench.path('backup'));
  const variables = {
    ...{ STATE: bench.path('state'), OUT: out, BACKUP: bench.path('backup') },
    ...{ MX8_COORD_URL: cluster.url, MX8_JOB_ID: 'j' },
  };
  await type('backup', variables);
  const backedUp = await committed();
  await until('more is committed', async () => (await committed()) >= backedUp + 24);
  assert(backedUp < SAMPLES);

  for (const mx8 of [slow, cluster.mx8(0)]) {
    mx8.child.kill('SIGKILL');
    await mx8.ended;
  }
  await type('restore', variables);
  cluster.start(0);
  await cluster.leader();
  const restored = await cluster.client.snapshot(jobId('j'));
  assert(restored.paused, 'as it was when it was backed up');
  assert(restored.samples.committed < backedUp + 24);
  const resumed = await bench.run(['resume'], { MX8_COORD_URL: cluster.url });
  assert.equal(resumed.code, 0, resumed.stderr);
  const last = await agent(0).ended;
  assert.equal(last.code, 0, last.stderr);
  const { spec } = await cluster.client.snapshot(jobId('j'));
  const manifest = bench.path('manifests', 'by-hash', spec.manifestHash);
  const { missing, repeated, altered, rows } = checkOutput(manifest, out);
  assert.deepEqual([missing, repeated, altered, rows], [[], [], [], SAMPLES]);
});
