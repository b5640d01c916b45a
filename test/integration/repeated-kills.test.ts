/** Eight agents and two coordinators of which the leader is killed again and again: no overlap, no loss. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { jobId } from '../../src/core/base/units.ts';
import { checkOutput } from '../support/check-output.ts';
import { Coordinators, eventsOf } from '../support/coordinators.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';

const JOB_FILE = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const JOB = jobId('repeated-kills');
const AGENTS = 8;
const KILLS = 4;
const SAMPLES = 1600;

test('eight agents through repeated kills of the leader: no sample leased to two, none lost, no lease expired', async () => {
  await using bench = await Workbench.create();
  await bench.files('in', SAMPLES);
  const job = ['--data', bench.path('in'), '--job-id', JOB, '--block-size', '8'];
  const world = ['--world-size', String(AGENTS), '--min-world-size', '1'];
  const args = [JOB_FILE, ...job, ...world, '--state', bench.path('state')];
  await using cluster = await Coordinators.create(bench, 2, args, { MX8_LOG: 'debug' });
  const started: Mx8[] = [cluster.start(0)];
  await cluster.leader();
  started.push(cluster.start(1));
  const agents = Array.from({ length: AGENTS }, (_, index) =>
    bench.start(
      [
        ...['agent', JOB_FILE, '--coord-url', cluster.url, '--job-id', JOB],
        ...['--node-id', `n${index}`, '--out', bench.path('out'), '--workers', '1'],
      ],
      { TEST_PAUSE_MS: '250', MX8_LOG: 'info' },
    ),
  );
  const committed = async (): Promise<number> =>
    (await cluster.client.snapshot(JOB)).samples.committed;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const atLeast = (SAMPLES * kill) / (KILLS + 2);
    await until('work goes on', async () => (await committed()) >= atLeast, 120_000);
    const leader = await cluster.leader();
    leader.mx8.child.kill('SIGKILL');
    await leader.mx8.ended;
    await cluster.leader();
    started.push(cluster.start(leader.index));
  }
  for (const agent of agents) {
    const { code, stderr } = await agent.ended;
    assert.equal(code, 0, stderr);
  }
  const { counters } = await cluster.client.snapshot(JOB);
  assert.equal(counters.leasesExpiredTotal, 0);

  const grants = started.flatMap((mx8) => eventsOf(mx8)).filter(isGrant);
  const tokens = grants.map(({ lease_id: token }) => token);
  assert.equal(new Set(tokens).size, tokens.length, 'no token was granted twice');
  const starts = grants.map(({ start }) => start);
  assert.equal(new Set(starts).size, starts.length, 'no range was leased to two');
  const [hash = ''] = await readdir(bench.path('manifests', 'by-hash'));
  const report = checkOutput(join(bench.path('manifests', 'by-hash'), hash), bench.path('out'));
  const { missing, repeated, foreign, altered, rows } = report;
  assert.deepEqual([missing, repeated, foreign, altered], [[], [], [], []]);
  assert.equal(rows, SAMPLES);
});

function isGrant({ event }: Readonly<Record<string, unknown>>): boolean {
  return event === 'lease_granted';
}
