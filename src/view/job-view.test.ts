import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobId, leaseId, manifestHash, monoMs, nodeId } from '../core/base/units.ts';
import type { JobSnapshot, LiveLease, NodeView } from '../core/job/protocol.ts';
import { bytesText, countedText, durationText, percentText, rateText } from './format.ts';
import { EMPTY_HISTORY, lookAt } from './job-view.ts';
import type { JobView, ViewHistory } from './job-view.ts';

const LIMITS = { staleHeartbeatMs: 5000, leaseStallMs: 10_000 };

const stats: NodeView['stats'] = {
  inflightBytes: 0,
  ramHighWaterBytes: 0,
  fetchQueueDepth: 0,
  decodeQueueDepth: 0,
  packQueueDepth: 0,
  autotuneEnabled: false,
  effectivePrefetchBatches: 0,
  effectiveMaxQueueBatches: 0,
  effectiveWant: 1,
  autotunePressureMilli: 0,
  autotuneCooldownTicks: 0,
  batchPayloadP95OverP50Milli: 0,
  batchJitterSloBreachesTotal: 0,
};

function node(id: string, heartbeatAgeMs = 100): NodeView {
  return {
    nodeId: nodeId(id),
    assignedRank: 0,
    heartbeatAgeMs,
    draining: false,
    leaseCount: 1,
    deliveredSamples: 0,
    caps: {
      maxFetchConcurrency: 1,
      maxDecodeConcurrency: 1,
      maxInflightBytes: 1,
      maxRamBytes: 1,
    },
    stats,
  };
}

function lease(index: number, cursor: number, owner = 'n1'): LiveLease {
  return {
    leaseId: leaseId({ epoch: 1, seq: 1, index }),
    nodeId: nodeId(owner),
    range: { start: 0, end: 1000 },
    cursor,
    deliveredCursor: cursor,
    stillMs: 0,
    expiresInMs: 9000,
  };
}

function snapshot(
  changes: Partial<JobSnapshot> & { readonly committed?: number } = {},
): JobSnapshot {
  const committed = changes.committed ?? 0;
  return {
    type: 'snapshot',
    spec: {
      jobId: jobId('j'),
      manifestHash: manifestHash('0'.repeat(64)),
      sampleCount: 1000,
      blockSize: 100,
      worldSize: 2,
      minWorldSize: 2,
      shuffle: false,
      seed: 0n,
      epoch: 0,
      leaseTtlMs: 10_000,
      heartbeatIntervalMs: 1000,
      commitsOutputs: true,
      adoptsFirstJobId: false,
    },
    phase: 'running',
    failure: null,
    jobReady: true,
    jobDrained: false,
    paused: false,
    registeredNodes: 2,
    availableRanges: 5,
    samples: { unissued: 1000 - committed, leased: 0, committed, quarantined: 0 },
    inputBytes: committed * 20,
    output: { rows: committed, bytes: committed * 10, pieces: 1 },
    outputManifestHash: null,
    nodes: [node('n1'), node('n2')],
    liveLeases: [lease(0, 10)],
    leases: null,
    stores: [],
    counters: {
      registerTotal: 2,
      heartbeatTotal: 0,
      requestLeaseTotal: 0,
      leasesGrantedTotal: 0,
      leasesExpiredTotal: 0,
      rangesRequeuedTotal: 0,
      progressTotal: 0,
      resumeCheckpointAppliedTotal: 0,
      resumeCheckpointRejectedTotal: 0,
      resumeRangesAppliedTotal: 0,
    },
    elastic: {
      transitionPending: false,
      transitionsTotal: 0,
      lastTransitionReason: '',
      currentWorldSize: 2,
      targetWorldSize: 2,
      lastTransitionUnixMs: 0,
    },
    ...changes,
  };
}

/** Looks at the snapshots at the given times; answers the last view. */
function watch(...looks: readonly (readonly [number, JobSnapshot])[]): JobView {
  let history: ViewHistory = EMPTY_HISTORY;
  let view: JobView | null = null;
  for (const [atMs, seen] of looks) {
    const look = lookAt(seen, monoMs(atMs), history, LIMITS);
    history = look.history;
    view = look.view;
  }
  assert.ok(view);
  return view;
}

test('progress counts what is committed or quarantined', () => {
  const samples = { unissued: 500, leased: 100, committed: 390, quarantined: 10 };
  const view = watch([0, snapshot({ samples })]);
  assert.equal(view.finishedSamples, 400);
  assert.equal(view.fraction, 0.4);
  assert.equal(view.rates, null);
  assert.equal(view.etaMs, null);
});

test('rates and the time left come from looks at different times', () => {
  const view = watch([0, snapshot()], [2000, snapshot({ committed: 200 })]);
  assert.deepEqual(view.rates, { samplesPerSecond: 100, rowsPerSecond: 100, bytesPerSecond: 1000 });
  assert.equal(view.etaMs, 8000);
});

test('of a job that an operator holds nobody says when it ends', () => {
  const view = watch([0, snapshot()], [2000, { ...snapshot({ committed: 200 }), paused: true }]);
  assert.deepEqual([view.etaMs, view.rates?.samplesPerSecond], [null, 100]);
});

test('rates forget what is older than their window', () => {
  const view = watch(
    [0, snapshot()],
    [20_000, snapshot({ committed: 20 })],
    [25_000, snapshot({ committed: 40 })],
    [30_000, snapshot({ committed: 140 })],
  );
  assert.equal(view.rates?.samplesPerSecond, 12);
  const later = watch(
    [0, snapshot()],
    [20_000, snapshot({ committed: 20 })],
    [40_000, snapshot({ committed: 120 })],
  );
  assert.equal(later.rates?.samplesPerSecond, 5);
});

test('a job that starts over is not shown with rates below zero', () => {
  const view = watch([0, snapshot({ committed: 900 })], [1000, snapshot({ committed: 10 })]);
  assert.equal(view.rates, null);
});

test('a moving job with live nodes is healthy', () => {
  const view = watch(
    [0, snapshot()],
    [60_000, snapshot({ committed: 5, liveLeases: [lease(0, 20)] })],
  );
  assert.deepEqual(view.health, { state: 'healthy', reason: '', remedy: '' });
});

test('a node that was not heard of degrades the job, all of them stall it', () => {
  const one = watch([0, snapshot({ nodes: [node('n1'), node('n2', 5000)] })]);
  assert.equal(one.health.state, 'degraded');
  assert.match(one.health.reason, /^Node n2 has not been heard of for 5\.0 s\.$/);
  const all = watch([0, snapshot({ nodes: [node('n1', 6000), node('n2', 5000)] })]);
  assert.equal(all.health.state, 'stalled');
});

test('a lease that stands still degrades the job, all of them stall it', () => {
  const moving = watch(
    [0, snapshot({ liveLeases: [lease(0, 10), lease(1, 10)] })],
    [10_000, snapshot({ liveLeases: [lease(0, 10), lease(1, 11)] })],
  );
  assert.equal(moving.health.state, 'degraded');
  assert.match(
    moving.health.reason,
    /^Lease 1\.1\.0 of node n1 has not moved for 10 s, at sample 10/,
  );
  const still = watch([0, snapshot()], [9999, snapshot()]);
  assert.equal(still.health.state, 'healthy');
  const stalled = watch([0, snapshot()], [10_000, snapshot()]);
  assert.equal(stalled.health.state, 'stalled');
});

test('delivery without a commit counts as movement', () => {
  const delivering = { ...lease(0, 10), deliveredCursor: 50 };
  const view = watch([0, snapshot()], [10_000, snapshot({ liveLeases: [delivering] })]);
  assert.equal(view.health.state, 'healthy');
});

test('a job whose agents left before its output was published is not done', () => {
  const drained = { jobDrained: true, committed: 1000, liveLeases: [], availableRanges: 0 };
  const left = watch([0, snapshot({ ...drained, nodes: [] })]).health;
  assert.equal(left.state, 'stalled');
  assert.match(left.reason, /before its output was published/);
  assert.match(left.remedy, /mx8 agent/);
  const silent = watch([0, snapshot({ ...drained, nodes: [node('n1', 6000)] })]).health;
  assert.equal(silent.state, 'stalled');
  assert.equal(watch([0, snapshot(drained)]).health.state, 'healthy');
  const done = watch([0, snapshot({ ...drained, phase: 'completed', nodes: [] })]).health;
  assert.equal(done.state, 'healthy');
});

test('a job without nodes, or waiting for some, says so', () => {
  assert.match(watch([0, snapshot({ nodes: [] })]).health.reason, /Every agent has left/);
  const waiting = watch([0, snapshot({ jobReady: false, registeredNodes: 1 })]);
  assert.equal(waiting.health.state, 'stalled');
  assert.match(waiting.health.reason, /waits for 1 more node \(min_world_size is 2\)/);
});

test('ranges that nobody asks for stall the job', () => {
  const idle = snapshot({ liveLeases: [] });
  assert.equal(watch([0, idle], [9000, idle]).health.state, 'healthy');
  assert.match(
    watch([0, idle], [10_000, idle]).health.reason,
    /5 ranges wait, but no node has asked/,
  );
});

test('a failed job gives its cause, a finished one is healthy whatever its nodes do', () => {
  const failure = { code: 'process_failed', message: 'sample 7: out of paper' };
  const failed = watch([0, snapshot({ phase: 'failed', failure })]);
  assert.equal(failed.health.state, 'stalled');
  assert.match(failed.health.reason, /sample 7: out of paper \[process_failed\]/);
  const done = watch([0, snapshot({ phase: 'completed', jobDrained: true, nodes: [] })]);
  assert.equal(done.health.state, 'healthy');
});

test('quarantined samples are not passed over', () => {
  const samples = { unissued: 0, leased: 0, committed: 998, quarantined: 2 };
  const view = watch([0, snapshot({ samples })]);
  assert.match(view.health.reason, /^2 samples could not be processed/);
});

test('numbers are shown the way people read them', () => {
  assert.deepEqual([0, 512, 1536, 64 * 1024 ** 2, 1024 ** 2 - 1, 5.25 * 1024 ** 3].map(bytesText), [
    '0 B',
    '512 B',
    '1.50 KiB',
    '64.0 MiB',
    '1.00 MiB',
    '5.25 GiB',
  ]);
  assert.deepEqual(
    [0, 850, 4200, 9960, 65_000, 3_599_600, 7_380_000, 273_600_000].map(durationText),
    ['0 ms', '850 ms', '4.2 s', '10 s', '1m 05s', '1h 00m', '2h 03m', '3d 04h'],
  );
  assert.deepEqual([12_345.6, 4.2, 0].map(rateText), ['12,346/s', '4.2/s', '0/s']);
  assert.deepEqual([0, 0.00001, 0.413, 0.99999, 1].map(percentText), [
    '0.0%',
    '0.1%',
    '41.3%',
    '99.9%',
    '100%',
  ]);
  assert.deepEqual(
    [1, 2].map((count) => countedText(count, 'sample')),
    ['1 sample', '2 samples'],
  );
});
