/** A coordinator that stands by: what it answers, what it shows, and what is refused beside it at its start. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ServiceError, status } from '@grpc/grpc-js';
import { jobId, nodeId } from '../../src/core/base/units.ts';
import { TEST_CAPS } from '../../src/testing/index.ts';
import { RawClient } from '../../src/testing/raw-client.ts';
import { Coordinators, newClient } from '../support/coordinators.ts';
import { until, Workbench } from '../support/mx8-process.ts';

const JOB = 'standby';
const LOG = { MX8_LOG: 'info' };

function jobArguments(bench: Workbench): readonly string[] {
  const args = ['--data', bench.path('in'), '--job-id', JOB, '--block-size', '10'];
  return [...args, '--state', bench.path('state')];
}

/** One that leads and one that has read all that the first wrote. */
async function pair(bench: Workbench): Promise<Coordinators> {
  await bench.files('in', 40);
  const cluster = await Coordinators.create(bench, 2, jobArguments(bench), LOG);
  cluster.start(0);
  await cluster.leader();
  cluster.start(1);
  await until('the other stands by', async () => (await cluster.view(1))?.role === 'standby');
  const node = { jobId: jobId(JOB), nodeId: nodeId('n'), instanceId: 'i' };
  await cluster.client.register(node, TEST_CAPS, new Uint8Array(0));
  await cluster.client.requestLeases(node, 1, []);
  const { appliedSeq } = await cluster.client.coordinator();
  await until('the standby has caught up', async () => {
    return ((await cluster.view(1))?.appliedSeq ?? 0) >= appliedSeq;
  });
  return cluster;
}

test('a standby answers what only reads, refuses what mutates, and says who leads', async () => {
  await using bench = await Workbench.create();
  await using cluster = await pair(bench);
  const [leader = '', standby = ''] = cluster.addresses;
  const v0 = new RawClient(standby, 'mx8.v0.Coordinator');
  const mutating = [
    ['RegisterNode', { jobId: JOB, nodeId: 'n', caps: TEST_CAPS }],
    ['RequestLease', { jobId: JOB, nodeId: 'n', want: 1 }],
    ['ReportProgress', { jobId: JOB, nodeId: 'n', leaseId: '1.2.0', cursor: 1 }],
  ] as const;
  for (const [method, message] of mutating) {
    const refusal = await v0.refusal(method, message);
    assert.equal(refusal.status, status.FAILED_PRECONDITION, method);
    assert.match(refusal.message, /^not leader for mutating operation/);
  }
  const snapshot = await v0.call('GetJobSnapshot', { jobId: JOB });
  assert.equal(Number(snapshot['activeLeases']), 1);
  const { manifestHash } = snapshot;
  const manifest = await v0.call('GetManifest', { jobId: JOB, manifestHash });
  assert((manifest['manifestBytes'] as Uint8Array).length > 40);
  v0.close();

  const v1 = new RawClient(standby, 'mx8.v1.Coordinator');
  await assert.rejects(v1.call('DrainJob', { jobId: JOB }), (error: ServiceError) => {
    assert.equal(error.code, status.FAILED_PRECONDITION);
    assert.deepEqual(error.metadata.get('mx8-error-code'), ['not_leader']);
    assert.deepEqual(error.metadata.get('mx8-leader'), [leader]);
    return true;
  });
  v1.close();

  // A client that knows only the standby finds the leader by itself.
  const client = newClient(standby);
  await client.drainJob(jobId(JOB));
  assert.equal((await client.snapshot(jobId(JOB))).phase, 'draining');
  await client.close();
});

test('status and tui show the job and who leads, from a list of addresses and from a standby alone', async () => {
  await using bench = await Workbench.create();
  await using cluster = await pair(bench);
  const [leader = '', standby = ''] = cluster.addresses;
  for (const url of [cluster.url, standby]) {
    const shown = await bench.run(['status', '--coord-url', url, '--job-id', JOB]);
    assert.equal(shown.code, 0, shown.stderr);
    assert(shown.stdout.includes(leader), shown.stdout);
    assert(shown.stdout.includes(standby), shown.stdout);
    assert.match(shown.stdout, /epoch/);
    const tui = await bench.run([
      ...['tui', '--coord-url', url, '--job-id', JOB],
      ...['--headless-polls', '1', '--poll-ms', '50'],
    ]);
    assert.equal(tui.code, 0, tui.stderr);
    assert.match(tui.stdout, /standby/);
  }
});

test('a candidate that does not go with the others is refused at its start, and they go on', async () => {
  await using bench = await Workbench.create();
  await using cluster = await pair(bench);
  const [leader = ''] = cluster.addresses;
  const start = ['coordinator', ...jobArguments(bench), '--bind', '127.0.0.1:0'];
  const refused = async (
    args: readonly string[],
    sentence: RegExp,
    code: number,
  ): Promise<void> => {
    const ended = await bench.run(args);
    assert.match(ended.stderr, sentence);
    assert.equal(ended.code, code, ended.stderr);
  };
  await Promise.all([
    refused([...start, '--advertise', leader], /says that clients reach it at/, 1),
    refused([...start, '--block-size', '20'], /block_size|block size/, 1),
    refused([...start, '--leader-ttl-ms', '100'], /leader-ttl-ms/, 2),
  ]);
  const views = await Promise.all([cluster.view(0), cluster.view(1)]);
  assert.deepEqual(
    views.map((view) => view?.role),
    ['leader', 'standby'],
  );
});
