/**
 * What an operator sees when a coordinator goes: the one beside it takes over, jobs do not notice. Real
 * processes on one state folder, with the TTL at its default.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { jobId, nodeId } from '../../src/core/base/units.ts';
import { HeldLocks } from '../../src/log/lock-holders.ts';
import type { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { TEST_CAPS } from '../../src/testing/index.ts';
import { checkOutput } from '../support/check-output.ts';
import { Coordinators, eventsOf } from '../support/coordinators.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';

const JOB_FILE = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const JOB = jobId('failover');
const SAMPLES = 960;
const LOG = { MX8_LOG: 'info' };

function jobArguments(bench: Workbench): readonly string[] {
  return [
    JOB_FILE,
    ...['--data', bench.path('in'), '--job-id', JOB, '--block-size', '16', '--world-size', '4'],
    ...['--min-world-size', '1', '--state', bench.path('state')],
  ];
}

async function dataJob(bench: Workbench): Promise<Coordinators> {
  await bench.files('in', SAMPLES);
  const args = ['--data', bench.path('in'), '--job-id', JOB, '--block-size', '1'];
  return Coordinators.create(bench, 2, [...args, '--state', bench.path('state')], LOG);
}

function startAgent(bench: Workbench, url: string, name: string): Mx8 {
  const args = ['agent', JOB_FILE, '--coord-url', url, '--job-id', JOB, '--node-id', name];
  return bench.start([...args, '--out', bench.path('out')], { TEST_PAUSE_MS: '120', ...LOG });
}

async function committed(client: GrpcCoordinatorClient): Promise<number> {
  return (await client.snapshot(JOB)).samples.committed;
}

/** Writes without end, as fast as it is answered, until `isOver`. */
async function hammer(client: GrpcCoordinatorClient, isOver: () => boolean): Promise<void> {
  const node = { jobId: JOB, nodeId: nodeId('load'), instanceId: 'load of this test' };
  await client.register(node, TEST_CAPS, new Uint8Array(0));
  while (!isOver()) {
    const { leases } = await client.requestLeases(node, 1, []);
    for (const { leaseId } of leases) await client.release(node, leaseId);
  }
}

test('kill -9 and SIGTERM of the leader and a rolling restart under load are invisible to a job', async () => {
  await using bench = await Workbench.create();
  await bench.files('in', SAMPLES);
  await using cluster = await Coordinators.create(bench, 2, jobArguments(bench), LOG);
  cluster.start(0);
  const first = await cluster.leader();
  cluster.start(1);
  const agents = ['n0', 'n1'].map((name) => startAgent(bench, cluster.url, name));
  await until('work is under way', async () => (await committed(cluster.client)) >= 32, 60_000);

  first.mx8.child.kill('SIGKILL');
  await first.mx8.ended;
  const second = await cluster.leader();
  assert.notEqual(second.index, first.index);
  cluster.start(first.index);
  const before = await committed(cluster.client);
  await until('work goes on', async () => (await committed(cluster.client)) > before, 60_000);

  // A rolling restart: each in turn, the leader too, the next once the last one serves again.
  for (const index of [first.index, second.index]) {
    await until('both serve', async () => (await cluster.view(index)) !== null);
    await until('the other serves', async () => (await cluster.view(1 - index)) !== null);
    const mx8 = cluster.mx8(index);
    mx8.child.kill('SIGTERM');
    const ended = await mx8.ended;
    assert.equal(ended.code, 0, ended.stderr);
    cluster.start(index);
  }
  const last = await cluster.leader();
  assert.equal(last.index, first.index, 'the lead went back when the second was stopped');
  assert((await committed(cluster.client)) < SAMPLES, 'the job was at work all the while');

  for (const agent of agents) {
    const { code, stderr } = await agent.ended;
    assert.equal(code, 0, stderr);
  }
  const { counters, phase } = await cluster.client.snapshot(JOB);
  assert.equal(phase, 'completed');
  assert.equal(counters.leasesExpiredTotal, 0, 'no lease expired because of a fail-over');
  const [hash = ''] = await readdir(bench.path('manifests', 'by-hash'));
  const report = checkOutput(join(bench.path('manifests', 'by-hash'), hash), bench.path('out'));
  const { missing, repeated, foreign, altered, rows } = report;
  assert.deepEqual([missing, repeated, foreign, altered], [[], [], [], []]);
  assert.equal(rows, SAMPLES);
});

test('a leader that is paused past the TTL has lost the lead, and stands by when it goes on', async () => {
  await using bench = await Workbench.create();
  await using cluster = await dataJob(bench);
  cluster.start(0);
  const first = await cluster.leader();
  cluster.start(1);
  await until('the other stands by', async () => (await cluster.view(1))?.role === 'standby');
  first.mx8.child.kill('SIGSTOP');
  try {
    await until('the other leads', async () => (await cluster.view(1))?.role === 'leader', 20_000);
  } finally {
    first.mx8.child.kill('SIGCONT');
  }
  await until('the first stands by', async () => {
    const view = await cluster.view(0);
    return view !== null && eventsOf(first.mx8).some(({ event }) => event === 'leader_left');
  });
  assert.equal((await cluster.leader()).index, 1);
  assert.equal(first.mx8.child.exitCode, null);
});

/** Pauses the process at a moment at which it holds the right to write. */
async function pauseInMidWrite(mx8: Mx8, database: string): Promise<void> {
  await until(
    'the leader was caught in the middle of a write',
    () => {
      process.kill(mx8.pid, 'SIGSTOP');
      if (HeldLocks.read()?.writerOf(database) === mx8.pid) return true;
      process.kill(mx8.pid, 'SIGCONT');
      return false;
    },
    60_000,
  );
}

test('a leader that was paused in the middle of a write is ended by the standby, which takes over', async () => {
  await using bench = await Workbench.create();
  await using cluster = await dataJob(bench);
  cluster.start(0);
  const first = await cluster.leader();
  const standby = cluster.start(1);
  await until('the other stands by', async () => (await cluster.view(1))?.role === 'standby');
  let isOver = false;
  const load = hammer(cluster.client, () => isOver);
  await pauseInMidWrite(first.mx8, bench.path('state', 'coordinator.sqlite'));
  await until('the other leads', async () => (await cluster.view(1))?.role === 'leader', 20_000);
  isOver = true;
  await load;
  assert.equal((await first.mx8.ended).signal, 'SIGKILL');
  const ended = eventsOf(standby).find(({ event }) => event === 'paused_writer_ended');
  assert.equal(ended?.['pid'], first.mx8.pid);
  assert.equal((await cluster.client.snapshot(JOB)).counters.leasesExpiredTotal, 0);
});

test('with --keep-paused the standby waits for a leader paused in a write, and takes over when it goes on', async () => {
  await using bench = await Workbench.create();
  await using cluster = await dataJob(bench);
  cluster.start(0);
  const first = await cluster.leader();
  const standby = cluster.start(1, ['--keep-paused']);
  await until('the other stands by', async () => (await cluster.view(1))?.role === 'standby');
  let isOver = false;
  const load = hammer(cluster.client, () => isOver);
  await pauseInMidWrite(first.mx8, bench.path('state', 'coordinator.sqlite'));
  await until('the claim was tried in vain', () =>
    eventsOf(standby).some(
      ({ event, code }) => event === 'leader_left' && code === 'store_unavailable',
    ),
  );
  assert.equal(standby.child.exitCode, null, standby.stderr());
  process.kill(first.mx8.pid, 'SIGCONT');
  await cluster.leader();
  isOver = true;
  await load;
  assert.deepEqual([first.mx8.child.exitCode, standby.child.exitCode], [null, null]);
});
