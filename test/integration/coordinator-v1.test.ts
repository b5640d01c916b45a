/** Sessions of `mx8.v1` with the client that agents and loaders use, over real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import test from 'node:test';

import { status } from '@grpc/grpc-js';
import { jobId, manifestHash, nodeId } from '../../src/core/base/units.ts';
import type { JobId, LeaseId } from '../../src/core/base/units.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import type { CommittedPiece, JobSnapshot, Lease } from '../../src/core/job/protocol.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { CoordinatorClient, NodeIdentity, Push } from '../../src/ports/coordinator-client.ts';
import { startTestCoordinator, TEST_CAPS, testSpec } from '../../src/testing/index.ts';
import type { TestCoordinator, TestCoordinatorOptions } from '../../src/testing/index.ts';
import { RawClient } from '../../src/testing/raw-client.ts';
import { RecordingEvents } from '../../src/testing/recording-events.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { Workbench } from '../support/mx8-process.ts';
import { TcpGate } from '../support/tcp-gate.ts';

const JOB = jobId('job');
const NO_TOKEN = new Uint8Array(0);

function node(id: string, instanceId = `process of ${id}`): NodeIdentity {
  return { jobId: JOB, nodeId: nodeId(id), instanceId };
}

function clientOf(coordUrl: string, callTimeoutMs = 10_000): GrpcCoordinatorClient {
  return new GrpcCoordinatorClient({
    coordUrl,
    clock: nodeClock(),
    random: nodeRandom(),
    callTimeoutMs,
  });
}

interface World {
  readonly coordinator: TestCoordinator;
  readonly client: GrpcCoordinatorClient;
}

async function withClient(
  options: TestCoordinatorOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const coordinator = await startTestCoordinator(options);
  const client = clientOf(coordinator.address);
  try {
    await body({ coordinator, client });
  } finally {
    await client.close();
    await coordinator.server.stop();
  }
  assert.deepEqual(coordinator.fatal, []);
}

async function nextPush(
  client: CoordinatorClient,
  type: Push['type'],
): Promise<Extract<Push, { type: typeof type }>> {
  return new Promise((resolve) => {
    client.onPush((push) => {
      if (push.type === type) resolve(push);
    });
  });
}

/** A snapshot without what passes between two of them. */
function timeless(snapshot: JobSnapshot): unknown {
  return {
    ...snapshot,
    nodes: snapshot.nodes.map((one) => ({ ...one, heartbeatAgeMs: 0 })),
    liveLeases: snapshot.liveLeases.map((one) => ({ ...one, expiresInMs: 0, stillMs: 0 })),
    leases: snapshot.leases === null ? null : { ...snapshot.leases, leastStillMs: 0 },
  };
}

async function piecesOf(client: CoordinatorClient, job: JobId): Promise<CommittedPiece[]> {
  const pieces: CommittedPiece[] = [];
  for await (const chunk of client.committedPieces(job)) pieces.push(...chunk);
  return pieces;
}

function ids(leases: readonly Lease[]): LeaseId[] {
  return leases.map((lease) => lease.leaseId);
}

test('an address that takes no connection and refuses none leaves time for the others', async () => {
  const sockets: Socket[] = [];
  // As a machine that is off: nothing ever comes from it.
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  await withClient({}, async ({ coordinator }) => {
    const client = clientOf(`127.0.0.1:${port},${coordinator.address}`, 2000);
    assert.equal((await client.listJobs()).length, 1);
    await client.close();
    const pieces = clientOf(`127.0.0.1:${port},${coordinator.address}`, 2000);
    assert.deepEqual(await piecesOf(pieces, JOB), []);
    await pieces.close();
  });
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('an operator whose answer is lost is told that the job is forgotten, and not that there is none', async () => {
  await using bench = await Workbench.create();
  const cut = new RecordingEvents();
  const coordinator = await startTestCoordinator({ server: { jobs: [], events: cut } });
  await using gate = await TcpGate.to(coordinator.address);
  const client = clientOf(coordinator.address);
  try {
    await client.submitJob(coordinator.spec);
    await client.drainJob(JOB);
    const emit = cut.emit.bind(cut);
    cut.emit = (level, event, fields) => {
      emit(level, event, fields);
      if (event !== 'job_forgotten') return;
      gate.shut();
      gate.open();
    };
    const ended = await bench.run(['forget', JOB, '--coord-url', gate.endpoint]);
    assert.deepEqual([ended.code, ended.stderr], [0, '']);
    assert.equal(ended.stdout, 'job job: nothing to change, it is forgotten already\n');
    assert.equal(cut.of('job_forgotten').length, 1);
    const unknown = await bench.run(['forget', JOB, '--coord-url', gate.endpoint]);
    assert.match(unknown.stderr, /\[job_unknown\]/);
  } finally {
    await client.close();
    await coordinator.server.stop();
  }
});

test('a job with outputs goes from its first lease to its output manifest', async () => {
  const spec = { commitsOutputs: true, sampleCount: 25, seed: 2n ** 64n - 1n };
  await withClient({ samples: 25, spec }, async ({ coordinator, client }) => {
    const n1 = node('n1');
    const registered = await client.register(n1, TEST_CAPS, NO_TOKEN);
    assert.deepEqual(registered.spec, coordinator.spec);
    assert.equal(registered.jobReady, true);
    await client.heartbeat(n1, { ...IDLE_STATS, inflightBytes: 77 });
    const { leases } = await client.requestLeases(n1, 2, []);
    assert.deepEqual(
      leases.map((lease) => lease.range),
      [
        { start: 0, end: 10 },
        { start: 10, end: 20 },
      ],
    );
    const [first, second] = ids(leases);
    assert.ok(first !== undefined && second !== undefined);
    const report = { leaseId: first, cursor: 7, deliveredSamples: 7, deliveredBytes: 70 };
    assert.deepEqual(await client.reportProgress(n1, report), {
      type: 'accepted',
      cursor: 7,
      repeated: false,
      end: 10,
    });
    const output = {
      leaseId: first,
      start: 0,
      end: 10,
      rows: 9,
      bytes: 900,
      inputBytes: 7000,
      quarantined: [3],
    };
    assert.deepEqual(await client.commit(n1, output), {
      type: 'accepted',
      cursor: 10,
      repeated: false,
      end: 10,
    });
    assert.deepEqual(await client.commit(n1, output), {
      type: 'accepted',
      cursor: 10,
      repeated: true,
      end: 10,
    });
    await client.release(n1, second);
    assert.equal((await client.requestFinalize(n1)).finalizeToken, null);
    for (let held: LeaseId[] = []; ; held = []) {
      const answer = await client.requestLeases(n1, 1, held);
      const [lease] = answer.leases;
      if (lease === undefined) break;
      const { start, end } = lease.range;
      const rest = { leaseId: lease.leaseId, start, end, rows: 1, bytes: 1, quarantined: [] };
      await client.commit(n1, rest);
    }
    const pieces = await piecesOf(client, JOB);
    assert.deepEqual(
      pieces.map(({ start, end, quarantined }) => [start, end, quarantined]),
      [
        [0, 10, [3]],
        [10, 20, []],
        [20, 25, []],
      ],
    );
    const { finalizeToken } = await client.requestFinalize(n1);
    assert.ok(finalizeToken !== null);
    const outputHash = manifestHash('ef'.repeat(32));
    await client.completeJob(n1, finalizeToken, outputHash);
    const snapshot = await client.snapshot(JOB);
    assert.equal(snapshot.phase, 'completed');
    assert.equal(snapshot.outputManifestHash, outputHash);
    assert.deepEqual(snapshot.samples, { unissued: 0, leased: 0, committed: 24, quarantined: 1 });
    assert.deepEqual(snapshot.output, { rows: 11, bytes: 902, pieces: 3 });
    assert.equal(snapshot.inputBytes, 7000);
    assert.equal(snapshot.nodes[0]?.stats.inflightBytes, 77);
    assert.deepEqual((await client.listJobs()).map(timeless), [timeless(snapshot)]);
  });
});

test('the client in the process and the one over gRPC see the same', async () => {
  await withClient({ spec: { commitsOutputs: true } }, async ({ coordinator, client }) => {
    const local = coordinator.server.client;
    const n1 = node('n1');
    await local.register(n1, TEST_CAPS, NO_TOKEN);
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    const granted = await local.requestLeases(n1, 2, []);
    const again = await client.requestLeases(n1, 2, []);
    assert.deepEqual(again, granted);
    const choice = {
      wholeUpTo: 500,
      part: { type: 'node', nodeId: n1.nodeId },
      stallMs: 60_000,
    } as const;
    const [ours, theirs] = [await local.snapshot(JOB, choice), await client.snapshot(JOB, choice)];
    assert.deepEqual(timeless(theirs), timeless(ours));
    // Without a choice nobody can tell from an answer whether an older coordinator gave it, which does not count.
    const whole = await local.snapshot(JOB);
    const nodes = whole.nodes.map((one) => ({ ...one, deliveredSamples: null }));
    assert.deepEqual(timeless(await client.snapshot(JOB)), timeless({ ...whole, nodes }));
    const { manifestHash: hash } = coordinator.spec;
    assert.deepEqual(
      await client.manifestRecords(JOB, hash, 15, 35),
      await local.manifestRecords(JOB, hash, 15, 35),
    );
    assert.deepEqual(await client.checkpoint(JOB), await local.checkpoint(JOB));
  });
});

test('jobs are submitted, listed, drained and resumed; one that exists with other settings is refused', async () => {
  await withClient({}, async ({ coordinator, client }) => {
    const other = testSpec(coordinator.spec.manifestHash, { jobId: jobId('other') });
    assert.deepEqual(await client.submitJob(other), {
      type: 'job_created',
      spec: other,
      existed: false,
    });
    assert.equal((await client.submitJob(other)).existed, true);
    const changed = client.submitJob({ ...other, blockSize: 11 });
    await assert.rejects(changed, { code: 'job_exists', message: /block_size/ });
    const jobs = await client.listJobs();
    assert.deepEqual(jobs.map(({ spec }) => spec.jobId).sort(), ['job', 'other']);
    await client.drainJob(other.jobId);
    assert.equal((await client.snapshot(other.jobId)).phase, 'draining');
    await client.resumeJob(other.jobId);
    assert.equal((await client.snapshot(other.jobId)).phase, 'running');
    await assert.rejects(client.snapshot(jobId('none')), { code: 'job_unknown' });
    await assert.rejects(client.drainJob(jobId('none')), { code: 'job_unknown' });
    await assert.rejects(piecesOf(client, jobId('none')), {
      code: 'job_unknown',
    });
  });
});

test('refusals carry their code over a session', async () => {
  await withClient({ spec: { commitsOutputs: true } }, async ({ client }) => {
    const n1 = node('n1');
    await assert.rejects(client.heartbeat(n1, IDLE_STATS), { code: 'node_not_registered' });
    const wrongJob = { ...n1, jobId: jobId('none') };
    await assert.rejects(client.register(wrongJob, TEST_CAPS, NO_TOKEN), { code: 'job_unknown' });
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    await assert.rejects(client.requestLeases(n1, 0, []), { code: 'field_invalid' });
    const { leases } = await client.requestLeases(n1, 1, []);
    const output = { leaseId: leases[0]?.leaseId, start: 1, end: 5, rows: 1, bytes: 1 };
    assert.ok(output.leaseId !== undefined);
    const commit = client.commit(n1, { ...output, leaseId: output.leaseId, quarantined: [] });
    await assert.rejects(commit, { code: 'commit_mismatch' });
    const other = client.register(node('n1', 'another process'), TEST_CAPS, NO_TOKEN);
    await assert.rejects(other, { code: 'node_id_in_use' });
  });
});

test('all leases of a node are renewed with one call, which says where they end and which are not its own', async () => {
  const spec = { worldSize: 2, leaseTtlMs: 2000 };
  await withClient({ spec }, async ({ coordinator, client }) => {
    const [n1, n2] = [node('n1'), node('n2')];
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    await coordinator.server.client.register(n2, TEST_CAPS, NO_TOKEN);
    const own = ids((await client.requestLeases(n1, 2, [])).leases);
    const others = ids((await coordinator.server.client.requestLeases(n2, 1, [])).leases);
    assert.deepEqual(await client.renew(n1, [...own, ...others]), [10, 30, null]);
    assert.deepEqual(await coordinator.server.client.renew(n2, [...others, ...own]), [
      ...[20, null, null],
    ]);
    await client.release(n1, own[1] ?? assert.fail('it has two'));
    assert.deepEqual(await client.renew(n1, own), [10, null]);
    assert.deepEqual(await client.renew(n1, []), []);
    const tooMany = client.renew(n1, new Array<LeaseId>(1025).fill(own[0] ?? assert.fail()));
    await assert.rejects(tooMany, { code: 'field_invalid', message: /1024/ });
    await assert.rejects(client.renew(node('n1', 'another process'), own), {
      code: 'node_not_registered',
    });
    // Nothing of it is durable, and nothing of it counts as progress.
    assert.equal((await client.snapshot(JOB)).counters.progressTotal, 0);
  });
});

test('a manifest slice is checked, and one that reaches outside is refused', async () => {
  await withClient({ samples: 20_000 }, async ({ coordinator, client }) => {
    const { manifestHash: hash } = coordinator.spec;
    const records = await client.manifestRecords(JOB, hash, 5000, 19_999);
    assert.equal(records.length, 14_999);
    assert.deepEqual([records[0]?.sampleId, records.at(-1)?.location], [5000, '/data/19998.bin']);
    assert.deepEqual(await client.manifestRecords(JOB, hash, 7, 7), []);
    const outside = client.manifestRecords(JOB, hash, 0, 20_001);
    await assert.rejects(outside, { code: 'field_invalid', message: /20000/ });
    const unknown = client.manifestRecords(JOB, manifestHash('ab'.repeat(32)), 0, 1);
    await assert.rejects(unknown, { code: 'manifest_missing' });
  });
});

test('the sizes that files had when they were pinned come with their records', async () => {
  await withClient({ samples: 10_000 }, async ({ coordinator, client }) => {
    const { manifestHash: hash } = coordinator.spec;
    await using stamps = await coordinator.manifests.stampWriter();
    for (let id = 0; id < 10_000; id += 1) {
      stamps.add(id % 2 === 0 ? { bytes: id * 1000, mtimeMs: 1 } : null);
    }
    await stamps.keep(hash);
    const records = await client.manifestRecords(JOB, hash, 3, 9001);
    const known = records.map(({ pinnedBytes }) => pinnedBytes);
    assert.deepEqual(
      known,
      records.map(({ sampleId }) => (sampleId % 2 === 0 ? sampleId * 1000 : undefined)),
    );
    assert.deepEqual(records, await coordinator.server.client.manifestRecords(JOB, hash, 3, 9001));
  });
});

test('a node is told when its lease is taken, the job drains or fails', async () => {
  const spec = { worldSize: 3, leaseTtlMs: 150, heartbeatIntervalMs: 50 };
  await withClient({ spec }, async ({ coordinator, client }) => {
    const n1 = node('n1');
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    const [lease] = (await client.requestLeases(n1, 1, [])).leases;
    const revoked = await nextPush(client, 'lease_revoked');
    assert.deepEqual(revoked, {
      type: 'lease_revoked',
      leaseId: lease?.leaseId,
      reason: 'the lease expired',
    });
    const drain = nextPush(client, 'drain');
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    await coordinator.server.client.drainJob(JOB);
    assert.equal((await drain).type, 'drain');

    const other = clientOf(coordinator.address);
    const failed = nextPush(client, 'job_failed');
    await other.register(node('n2'), TEST_CAPS, NO_TOKEN);
    await other.failJob(node('n2'), 'process_failed', 'sample 3 cannot be read');
    assert.deepEqual(await failed, {
      type: 'job_failed',
      code: 'process_failed',
      message: 'sample 3 cannot be read',
    });
    await other.close();
  });
});

test('the end of a session revokes nothing, and lets the node id be taken at once', async () => {
  await withClient({}, async ({ coordinator, client }) => {
    const dying = clientOf(coordinator.address);
    await dying.register(node('n1', 'first'), TEST_CAPS, NO_TOKEN);
    const { leases } = await dying.requestLeases(node('n1', 'first'), 3, []);
    assert.equal(leases.length, 3);
    await dying.close();
    const back = node('n1', 'second');
    for (;;) {
      const answer = await client
        .register(back, TEST_CAPS, NO_TOKEN)
        .catch((error: unknown) => error);
      if (!(answer instanceof Error)) break;
      // Until the coordinator has noticed that the connection closed.
      assert.equal((answer as { code?: string }).code, 'node_id_in_use');
    }
    assert.equal(coordinator.events.of('lease_revoked').length, 3);
    const fresh = await client.requestLeases(back, 3, []);
    assert.deepEqual(
      fresh.leases.map((lease) => lease.range.start),
      [0, 10, 20],
    );
  });
});

test('a session that is noticed late to be dead does not open the node id of one that came back', async () => {
  await withClient({}, async ({ coordinator, client }) => {
    const n1 = node('n1', 'first');
    const dead = clientOf(coordinator.address);
    await dead.register(n1, TEST_CAPS, NO_TOKEN);
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    await dead.close();
    // A round trip on a connection of its own: the coordinator has read the end of the other by then.
    await client.listJobs();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const other = client.register(node('n1', 'second'), TEST_CAPS, NO_TOKEN);
    await assert.rejects(other, { code: 'node_id_in_use' });
  });
});

test('a client comes back to a restarted coordinator and still holds its leases', async () => {
  const coordinator = await startTestCoordinator({ spec: { commitsOutputs: true } });
  const client = clientOf(coordinator.address);
  const pushes: string[] = [];
  client.onPush((push) => pushes.push(push.type));
  const n1 = node('n1');
  let restarted: TestCoordinator | null = null;
  try {
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    const { leases } = await client.requestLeases(n1, 2, []);
    const [first] = leases;
    assert.ok(first !== undefined);
    const away = nextPush(client, 'disconnected');
    const returned = coordinator.restart();
    await away;
    // Asked while nobody is there: answered once somebody is.
    const commit = client.commit(n1, {
      leaseId: first.leaseId,
      start: 0,
      end: 4,
      rows: 4,
      bytes: 4,
      quarantined: [],
    });
    restarted = await returned;
    assert.equal((await commit).cursor, 4);
    const [kept, none] = await Promise.all([
      client.requestLeases(n1, 2, []),
      client.requestLeases(n1, 2, ids(leases)),
    ]);
    assert.deepEqual(ids(kept.leases).sort(), ids(leases).sort());
    assert.equal(kept.leases.find((lease) => lease.leaseId === first.leaseId)?.cursor, 4);
    assert.deepEqual(none.leases, []);
    assert.deepEqual(pushes, ['connected', 'disconnected', 'connected']);
  } finally {
    await client.close();
    await (restarted ?? coordinator).server.stop();
  }
});

test('of several addresses the one that answers is used', async () => {
  const coordinator = await startTestCoordinator({});
  const client = clientOf(`http://127.0.0.1:1, ${coordinator.address}`);
  try {
    await client.register(node('n1'), TEST_CAPS, NO_TOKEN);
    assert.equal((await client.snapshot(JOB)).registeredNodes, 1);
  } finally {
    await client.close();
    await coordinator.server.stop();
  }
});

test('where nobody listens every call ends in a sentence that names the address', async () => {
  const client = clientOf('http://127.0.0.1:1', 300);
  const n1 = node('n1');
  const disconnected = nextPush(client, 'disconnected');
  const unavailable = { code: 'coordinator_unavailable', message: /127\.0\.0\.1:1/ };
  try {
    await assert.rejects(client.register(n1, TEST_CAPS, NO_TOKEN), unavailable);
    await assert.rejects(client.snapshot(JOB), unavailable);
    await assert.rejects(
      client.manifestRecords(JOB, manifestHash('ab'.repeat(32)), 0, 1),
      unavailable,
    );
    assert.equal((await disconnected).type, 'disconnected');
    const aborted = client.register(
      n1,
      TEST_CAPS,
      NO_TOKEN,
      AbortSignal.abort(new Error('enough')),
    );
    await assert.rejects(aborted, /enough/);
  } finally {
    await client.close();
  }
  await assert.rejects(client.register(n1, TEST_CAPS, NO_TOKEN), /closed/);
});

test('a thousand requests in flight on one session are each answered once', async () => {
  const spec = { sampleCount: 5000, blockSize: 5 };
  await withClient({ samples: 5000, spec }, async ({ client }) => {
    const n1 = node('n1');
    await client.register(n1, TEST_CAPS, NO_TOKEN);
    const { leases } = await client.requestLeases(n1, 1000, []);
    assert.equal(leases.length, 1000);
    const answers = await Promise.all(
      leases.flatMap(({ leaseId, range }) =>
        [range.start + 2, range.end].map((cursor) =>
          client.reportProgress(n1, { leaseId, cursor, deliveredSamples: 1, deliveredBytes: 1 }),
        ),
      ),
    );
    assert.deepEqual(
      answers.map(({ cursor }) => cursor),
      leases.flatMap(({ range }) => [range.start + 2, range.end]),
    );
    assert.equal((await client.snapshot(JOB)).jobDrained, true);
  });
});

test('a session that does not begin with a hello, or carries no message, is refused', async () => {
  await withClient({}, async ({ coordinator }) => {
    const raw = new RawClient(coordinator.address, 'mx8.v1.Coordinator');
    const answer = await new Promise((resolve, reject) => {
      const call = raw.duplex('Session');
      call.on('data', resolve);
      call.on('error', reject);
      call.write({ requestId: 1, heartbeat: {} });
    });
    const { refused } = answer as { refused: { code: string } };
    assert.equal(refused.code, 'node_not_registered');
    const failure = await new Promise<{ code: number; metadata: { get(name: string): unknown[] } }>(
      (resolve) => {
        const call = raw.duplex('Session');
        call.on('error', resolve as never);
        call.write({ requestId: 0, heartbeat: {} });
      },
    );
    assert.equal(failure.code, status.INVALID_ARGUMENT);
    assert.deepEqual(failure.metadata.get('mx8-error-code'), ['field_missing']);
    raw.close();
  });
});
