/** The coordinator as any client of `mx8.v0` sees it: every RPC, every status code, raw messages only. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { status } from '@grpc/grpc-js';
import { jobId } from '../../src/core/base/units.ts';
import { RawClient } from '../../src/testing/raw-client.ts';
import { startTestCoordinator, testSpec } from '../../src/testing/index.ts';
import type { TestCoordinator, TestCoordinatorOptions } from '../../src/testing/index.ts';
import type { WireMessage } from '../../src/wire/schema.ts';

interface World {
  readonly coordinator: TestCoordinator;
  readonly v0: RawClient;
}

async function withCoordinator(
  options: TestCoordinatorOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const coordinator = await startTestCoordinator(options);
  const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
  try {
    await body({ coordinator, v0 });
  } finally {
    v0.close();
    await coordinator.server.stop();
  }
  assert.deepEqual(coordinator.fatal, []);
}

const caps = {
  maxFetchConcurrency: 2,
  maxDecodeConcurrency: 3,
  maxInflightBytes: 5_000_000_000,
  maxRamBytes: 6,
};
const n1 = { jobId: 'job', nodeId: 'n1' };
const n2 = { jobId: 'job', nodeId: 'n2' };

function number(value: unknown): number {
  return Number(String(value));
}

async function lease(v0: RawClient, node: WireMessage, want = 1): Promise<WireMessage[]> {
  const { leases } = await v0.call('RequestLease', { ...node, want });
  return leases as WireMessage[];
}

function rangeOf(message: WireMessage | undefined): readonly [number, number] {
  const range = message?.['range'] as WireMessage;
  return [number(range['startId']), number(range['endId'])];
}

test('nodes wait at the barrier until min_world_size of them have registered', async () => {
  await withCoordinator(
    { spec: { worldSize: 2, minWorldSize: 2 } },
    async ({ coordinator, v0 }) => {
      const first = await v0.call('RegisterNode', { ...n1, caps });
      assert.equal(first['assignedRank'], 0);
      assert.equal(first['worldSize'], 2);
      assert.equal(first['registeredNodes'], 1);
      assert.equal(first['jobReady'], false);
      assert.equal(first['leaseTtlMs'], 10_000);
      assert.equal(first['heartbeatIntervalMs'], 1000);
      assert.equal(first['manifestHash'], coordinator.spec.manifestHash);
      const refused = await v0.refusal('RequestLease', { ...n1, want: 1 });
      assert.equal(refused.status, status.FAILED_PRECONDITION);
      assert.equal(refused.code, 'job_not_ready');
      assert.match(refused.message, /^job not ready \(membership barrier\)/);

      const second = await v0.call('RegisterNode', { ...n2, caps });
      assert.equal(second['assignedRank'], 1);
      assert.equal(second['jobReady'], true);
      const again = await v0.call('RegisterNode', { ...n1, caps });
      assert.equal(again['assignedRank'], 0);
      assert.equal(again['jobReady'], true);
      assert.deepEqual(coordinator.events.names().slice(0, 2), [
        'job_created',
        'coordinator_serving',
      ]);
      assert.equal(coordinator.events.of('membership_wait').length, 1);
    },
  );
});

test('a job is leased, reported and drained, and the counters say so', async () => {
  const spec = { sampleCount: 25, seed: 2n ** 64n - 1n, epoch: 7, shuffle: true };
  await withCoordinator({ samples: 25, spec }, async ({ coordinator, v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const done: (readonly [number, number])[] = [];
    for (;;) {
      const answer = await v0.call('RequestLease', { ...n1, want: 2 });
      const leases = answer['leases'] as WireMessage[];
      if (leases.length === 0) {
        assert.equal(answer['jobDrained'], true);
        break;
      }
      for (const held of leases) {
        const [start, end] = rangeOf(held);
        const range = held['range'] as WireMessage;
        assert.equal(String(range['seed']), '18446744073709551615');
        assert.equal(range['epoch'], 7);
        assert.ok(number(held['expiresUnixTimeMs']) > 1_700_000_000_000);
        const report = { ...n1, leaseId: held['leaseId'] };
        // The same cursor again and again is how a client renews its lease.
        await v0.call('ReportProgress', { ...report, cursor: start });
        await v0.call('ReportProgress', { ...report, cursor: start });
        await v0.call('ReportProgress', { ...report, cursor: end });
        // A repeat of the last report is answered as the first was.
        await v0.call('ReportProgress', { ...report, cursor: end });
        done.push([start, end]);
      }
    }
    done.sort((a, b) => a[0] - b[0]);
    assert.deepEqual(done, [
      [0, 10],
      [10, 20],
      [20, 25],
    ]);
    const snapshot = await v0.call('GetJobSnapshot', { jobId: 'job' });
    const counters = snapshot['counters'] as WireMessage;
    assert.equal(snapshot['jobDrained'], true);
    assert.equal(number(snapshot['activeLeases']), 0);
    assert.equal(number(counters['leasesGrantedTotal']), 3);
    assert.equal(number(counters['progressTotal']), 3);
    assert.equal(number(counters['requestLeaseTotal']), 3);
    for (const event of ['lease_granted', 'lease_completed', 'progress', 'job_drained']) {
      assert.ok(coordinator.events.names().includes(event), event);
    }
  });
});

test('a snapshot shows nodes, leases and what nodes say of themselves', async () => {
  await withCoordinator({}, async ({ v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const [held] = await lease(v0, n1);
    const stats = { inflightBytes: 123, effectiveWant: 4, autotuneEnabled: true };
    await v0.call('Heartbeat', { ...n1, unixTimeMs: 5, stats });
    const snapshot = await v0.call('GetJobSnapshot', { jobId: 'job' });
    const [node] = snapshot['nodes'] as WireMessage[];
    const [live] = snapshot['liveLeases'] as WireMessage[];
    assert.ok(node);
    assert.equal(node['nodeId'], 'n1');
    assert.equal(number((node['caps'] as WireMessage)['maxInflightBytes']), 5_000_000_000);
    assert.equal(number((node['stats'] as WireMessage)['inflightBytes']), 123);
    assert.equal((node['stats'] as WireMessage)['autotuneEnabled'], true);
    const nowMs = number(snapshot['serverUnixTimeMs']);
    assert.ok(number(node['lastHeartbeatUnixTimeMs']) <= nowMs);
    assert.equal(live?.['leaseId'], held?.['leaseId']);
    assert.deepEqual(rangeOf(live), [0, 10]);
    assert.equal(number(snapshot['availableRanges']), 9);
  });
});

test('a lease that is not renewed expires and its remainder is leased again', async () => {
  const spec = { leaseTtlMs: 150, heartbeatIntervalMs: 50, sampleCount: 10, worldSize: 2 };
  await withCoordinator({ samples: 10, spec }, async ({ coordinator, v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    await v0.call('RegisterNode', { ...n2, caps });
    const [held] = await lease(v0, n1);
    await v0.call('ReportProgress', { ...n1, leaseId: held?.['leaseId'], cursor: 4 });
    const none = await v0.call('RequestLease', { ...n2, want: 1 });
    assert.deepEqual(none['leases'], []);
    assert.ok(number(none['waitMs']) > 0);
    let [rest] = await lease(v0, n2);
    while (rest === undefined) {
      // A heartbeat says that the node lives; it does not keep its lease.
      await v0.call('Heartbeat', n1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      [rest] = await lease(v0, n2);
    }
    assert.deepEqual(rangeOf(rest), [4, 10]);
    const late = { ...n1, leaseId: held?.['leaseId'], cursor: 10 };
    const refused = await v0.refusal('ReportProgress', late);
    assert.deepEqual([refused.status, refused.code], [status.NOT_FOUND, 'lease_unknown']);
    assert.equal(coordinator.events.of('lease_expired').length, 1);
    assert.deepEqual(coordinator.events.of('range_requeued'), [
      { job_id: 'job', start: 4, end: 10 },
    ]);
  });
});

test('the manifest comes whole or in chunks, byte by byte', async () => {
  await withCoordinator({ samples: 40_000 }, async ({ coordinator, v0 }) => {
    const manifestHash = coordinator.spec.manifestHash;
    const request = { jobId: 'job', manifestHash };
    const whole = await v0.call('GetManifest', request);
    const bytes = whole['manifestBytes'] as Uint8Array;
    assert.equal(createHash('sha256').update(bytes).digest('hex'), manifestHash);
    assert.equal(whole['schemaVersion'], 0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of v0.stream('GetManifestStream', request)) {
      assert.equal(chunk['schemaVersion'], 0);
      chunks.push(chunk['data'] as Uint8Array);
    }
    assert.equal(chunks.length, Math.ceil(bytes.length / 1024 ** 2));
    assert.ok(Buffer.concat(chunks).equals(Buffer.from(bytes)));
  });
});

test('a manifest over the message cap is refused whole and still comes in chunks', async () => {
  const server = { grpcMaxMessageBytes: 1_100_000 };
  await withCoordinator({ samples: 80_000, server }, async ({ coordinator, v0 }) => {
    const request = { jobId: 'job', manifestHash: coordinator.spec.manifestHash };
    const refused = await v0.refusal('GetManifest', request);
    assert.deepEqual(
      [refused.status, refused.code],
      [status.RESOURCE_EXHAUSTED, 'message_too_large'],
    );
    assert.match(refused.message, /GetManifestStream/);
    const hash = createHash('sha256');
    for await (const chunk of v0.stream('GetManifestStream', request)) {
      hash.update(chunk['data'] as Uint8Array);
    }
    assert.equal(hash.digest('hex'), coordinator.spec.manifestHash);
  });
});

test('a checkpoint of one job lets another go on, all or nothing', async () => {
  let checkpoint: unknown;
  await withCoordinator({}, async ({ v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const [first, second] = await lease(v0, n1, 2);
    await v0.call('ReportProgress', { ...n1, leaseId: first?.['leaseId'], cursor: 10 });
    await v0.call('ReportProgress', { ...n1, leaseId: second?.['leaseId'], cursor: 13 });
    ({ checkpoint } = await v0.call('GetResumeCheckpoint', { jobId: 'job' }));
  });
  await withCoordinator({}, async ({ v0 }) => {
    const damaged = Buffer.from(checkpoint as Uint8Array);
    damaged[20] = (damaged[20] ?? 0) ^ 1;
    const bad = await v0.refusal('RegisterNode', { ...n1, caps, resumeFrom: damaged });
    assert.deepEqual([bad.status, bad.code], [status.INVALID_ARGUMENT, 'checkpoint_invalid']);
    await v0.call('RegisterNode', { ...n1, caps, resumeFrom: checkpoint });
    await v0.call('RegisterNode', { ...n1, caps, resumeFrom: checkpoint });
    const starts = (await lease(v0, n1, 3)).map((held) => rangeOf(held));
    assert.deepEqual(starts, [
      [13, 20],
      [20, 30],
      [30, 40],
    ]);
    const { counters } = await v0.call('GetJobSnapshot', { jobId: 'job' });
    assert.equal(number((counters as WireMessage)['resumeCheckpointAppliedTotal']), 1);
    assert.equal(number((counters as WireMessage)['resumeCheckpointRejectedTotal']), 1);
    assert.equal(number((counters as WireMessage)['resumeRangesAppliedTotal']), 1);
  });
  await withCoordinator({ spec: { seed: 1n } }, async ({ v0 }) => {
    const other = await v0.refusal('RegisterNode', { ...n1, caps, resumeFrom: checkpoint });
    assert.deepEqual(
      [other.status, other.code],
      [status.FAILED_PRECONDITION, 'checkpoint_mismatch'],
    );
    assert.match(other.message, /seed/);
  });
  await withCoordinator({}, async ({ v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    await lease(v0, n1);
    const late = await v0.refusal('RegisterNode', { ...n1, caps, resumeFrom: checkpoint });
    assert.equal(late.code, 'checkpoint_too_late');
  });
});

test('malformed requests are INVALID_ARGUMENT and name the field', async () => {
  await withCoordinator({}, async ({ coordinator, v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const [held] = await lease(v0, n1);
    const report = { ...n1, leaseId: held?.['leaseId'], cursor: 0 };
    const past = 2n ** 53n;
    const tooLarge = { low: 0, high: Number(past >> 32n), unsigned: true };
    const cases: readonly (readonly [string, WireMessage, RegExp])[] = [
      ['RegisterNode', { nodeId: 'n1', caps }, /job_id/],
      ['RegisterNode', { jobId: 'job', caps }, /node_id/],
      ['RegisterNode', { ...n1 }, /caps/],
      ['RegisterNode', { ...n1, nodeId: 'two words', caps }, /node_id/],
      ['RegisterNode', { ...n1, nodeId: 'n'.repeat(129), caps }, /node_id/],
      ['RegisterNode', { ...n1, caps: { ...caps, maxRamBytes: tooLarge } }, /max_ram_bytes/],
      ['Heartbeat', { jobId: 'job' }, /node_id/],
      ['RequestLease', { ...n1, want: 0 }, /want/],
      ['RequestLease', { ...n1, want: 4_000_000_000 }, /want/],
      ['ReportProgress', { ...report, leaseId: '' }, /lease_id/],
      ['ReportProgress', { ...report, cursor: 11 }, /cursor/],
      ['ReportProgress', { ...report, cursor: tooLarge }, /cursor.*9007199254740992/],
      ['GetManifest', { jobId: 'job' }, /manifest_hash/],
      ['GetManifest', { jobId: 'job', manifestHash: 'AB'.repeat(32) }, /manifest_hash/],
      ['GetJobSnapshot', {}, /job_id/],
      ['GetResumeCheckpoint', {}, /job_id/],
    ];
    for (const [method, message, says] of cases) {
      const refused = await v0.refusal(method, message);
      assert.equal(refused.status, status.INVALID_ARGUMENT, `${method} ${refused.message}`);
      assert.match(refused.message, says);
      assert.match(refused.code, /^(field_missing|field_invalid|cursor_outside)$/);
    }
    const stream = await v0.refusalOfStream('GetManifestStream', {
      jobId: 'job',
      manifestHash: 'x',
    });
    assert.deepEqual([stream.status, stream.code], [status.INVALID_ARGUMENT, 'field_invalid']);
    const garbage = await v0.refusalOfBytes('RegisterNode', Uint8Array.of(0x0a, 0x7f, 0x01));
    assert.deepEqual([garbage.status, garbage.code], [status.INVALID_ARGUMENT, 'field_invalid']);
    // None of it changed anything: the coordinator goes on as before.
    await v0.call('ReportProgress', { ...report, cursor: 10 });
    assert.deepEqual(coordinator.events.of('call_failed'), []);
  });
});

test('what is not there is NOT_FOUND', async () => {
  await withCoordinator({}, async ({ v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const manifestHash = 'cd'.repeat(32);
    const cases: readonly (readonly [string, WireMessage, string])[] = [
      ['RegisterNode', { ...n1, jobId: 'other', caps }, 'job_unknown'],
      ['Heartbeat', { ...n1, jobId: 'other' }, 'job_unknown'],
      ['RequestLease', { ...n1, jobId: 'other', want: 1 }, 'job_unknown'],
      ['ReportProgress', { ...n1, leaseId: '9.9.9', cursor: 1 }, 'lease_unknown'],
      ['ReportProgress', { ...n1, leaseId: 'mine', cursor: 1 }, 'lease_unknown'],
      ['GetManifest', { jobId: 'job', manifestHash }, 'manifest_missing'],
      ['GetJobSnapshot', { jobId: 'other' }, 'job_unknown'],
      ['GetResumeCheckpoint', { jobId: 'other' }, 'job_unknown'],
    ];
    for (const [method, message, code] of cases) {
      const refused = await v0.refusal(method, message);
      assert.deepEqual([method, refused.status, refused.code], [method, status.NOT_FOUND, code]);
    }
    const stream = await v0.refusalOfStream('GetManifestStream', { jobId: 'job', manifestHash });
    assert.deepEqual([stream.status, stream.code], [status.NOT_FOUND, 'manifest_missing']);
  });
});

test('what is asked of a job that was forgotten is NOT_FOUND, and its manifest is closed', async () => {
  const server = { keepJobs: { latest: 0, keepMs: 0 } };
  await withCoordinator({ server }, async ({ coordinator, v0 }) => {
    const { manifests, events } = coordinator;
    const { client } = coordinator.server;
    const hash = await manifests.putFiles(5);
    const times = { leaseTtlMs: 300, heartbeatIntervalMs: 100 };
    const job = { jobId: jobId('other'), sampleCount: 5, blockSize: 5, ...times };
    const spec = testSpec(hash, job);
    await client.submitJob(spec);
    const node = { jobId: 'other', nodeId: 'n1' };
    await v0.call('RegisterNode', { ...node, caps });
    await v0.call('GetManifest', { ...node, manifestHash: hash });
    assert.equal(manifests.openReaders, 1);
    const [held] = await lease(v0, node);
    const report = { ...node, leaseId: held?.['leaseId'], cursor: 5 };
    await v0.call('ReportProgress', report);
    // It is silent from now on, and has no rank any more when its lease would have ended.
    while (events.of('job_forgotten').length === 0) await sleep(20);
    assert.deepEqual(
      (await client.listJobs()).map((one) => one.spec.jobId),
      ['job'],
    );
    assert.equal(manifests.openReaders, 0);
    const asked: Record<string, WireMessage> = {
      RegisterNode: { ...node, caps },
      Heartbeat: node,
      RequestLease: { ...node, want: 1 },
      ReportProgress: report,
      GetManifest: { ...node, manifestHash: hash },
      GetJobSnapshot: node,
      GetResumeCheckpoint: node,
    };
    for (const [method, message] of Object.entries(asked)) {
      const refused = await v0.refusal(method, message);
      assert.deepEqual([refused.status, refused.code], [status.NOT_FOUND, 'job_unknown'], method);
    }

    await client.submitJob(spec);
    const early = await v0.refusal('ReportProgress', report);
    assert.deepEqual(
      [early.status, early.code],
      [status.FAILED_PRECONDITION, 'node_not_registered'],
    );
    await v0.call('RegisterNode', { ...node, caps });
    const late = await v0.refusal('ReportProgress', report);
    assert.deepEqual([late.status, late.code], [status.NOT_FOUND, 'lease_unknown']);
  });
});

test('what does not fit the state is FAILED_PRECONDITION or RESOURCE_EXHAUSTED', async () => {
  await withCoordinator({ spec: { worldSize: 2, minWorldSize: 1 } }, async ({ v0 }) => {
    const stranger = { jobId: 'job', nodeId: 'n3' };
    const unregistered = await v0.refusal('Heartbeat', stranger);
    assert.deepEqual(
      [unregistered.status, unregistered.code],
      [status.FAILED_PRECONDITION, 'node_not_registered'],
    );
    await v0.call('RegisterNode', { ...n1, caps });
    await v0.call('RegisterNode', { ...n2, caps });
    const tooMany = await v0.refusal('RegisterNode', { ...stranger, caps });
    assert.deepEqual(
      [tooMany.status, tooMany.code],
      [status.RESOURCE_EXHAUSTED, 'world_size_exceeded'],
    );
    const [held] = await lease(v0, n1);
    const full = await v0.refusal('RegisterNode', { ...stranger, caps });
    assert.deepEqual([full.status, full.code], [status.FAILED_PRECONDITION, 'membership_full']);
    const report = { ...n1, leaseId: held?.['leaseId'], cursor: 5 };
    await v0.call('ReportProgress', report);
    const back = await v0.refusal('ReportProgress', { ...report, cursor: 4 });
    assert.deepEqual([back.status, back.code], [status.FAILED_PRECONDITION, 'cursor_regressed']);
    const stolen = await v0.refusal('ReportProgress', { ...report, nodeId: 'n2', cursor: 6 });
    assert.deepEqual([stolen.status, stolen.code], [status.FAILED_PRECONDITION, 'lease_not_owned']);
  });
});

test('a coordinator without a job id takes that of the first node, for good', async () => {
  const options = { spec: { adoptsFirstJobId: true } };
  await withCoordinator(options, async ({ coordinator, v0 }) => {
    await v0.call('RegisterNode', { jobId: 'theirs', nodeId: 'n1', caps });
    const other = await v0.refusal('RegisterNode', { jobId: 'another', nodeId: 'n2', caps });
    assert.deepEqual([other.status, other.code], [status.NOT_FOUND, 'job_unknown']);
    const restarted = await coordinator.restart();
    try {
      const again = new RawClient(restarted.address, 'mx8.v0.Coordinator');
      await again.call('RegisterNode', { jobId: 'theirs', nodeId: 'n1', caps });
      again.close();
    } finally {
      await restarted.server.stop();
    }
  });
});

test('a job that commits outputs takes no progress from v0', async () => {
  await withCoordinator({ spec: { commitsOutputs: true } }, async ({ v0 }) => {
    await v0.call('RegisterNode', { ...n1, caps });
    const [held] = await lease(v0, n1);
    const report = { ...n1, leaseId: held?.['leaseId'], cursor: 5 };
    const refused = await v0.refusal('ReportProgress', report);
    assert.deepEqual(
      [refused.status, refused.code],
      [status.FAILED_PRECONDITION, 'job_commits_outputs'],
    );
  });
});
