import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobId } from '../core/base/units.ts';
import type { JobDigest } from '../core/job/coordinator.ts';
import { digestAt, SEEN_LIMITS, seenAt } from '../../test/support/seen.ts';
import { pageModel, type PageModel } from './page-model.ts';
import type { Seen } from './look-cache.ts';

function modelOf(seen: Seen, jobId: string | null = null): PageModel {
  const around = { jobId, ageMs: 5, rssBytes: 7, leaderUrl: null, events: [] };
  return pageModel(seen, { ...around, limits: SEEN_LIMITS });
}

test('a leader shows its nodes, those that need a look first', () => {
  const digest = digestAt(2000, 3);
  const [first, ...others] = digest.nodes.toReversed();
  assert.ok(first !== undefined);
  const silent = { ...first, heartbeatAgeMs: 9000 };
  const { job } = modelOf(seenAt(2000, [{ ...digest, nodes: [...others, silent] }]));
  assert.deepEqual(
    job?.nodes.map(({ nodeId, isStale }) => [nodeId, isStale]),
    [
      ['node-2', true],
      ['node-0', false],
      ['node-1', false],
    ],
  );
  assert.deepEqual([job.health, job.staleNodes], ['degraded', 1]);
  assert.match(job.healthReason, /Node node-2 has not been heard of for 9\.0 s/);
});

test('without a job that is there, the first that is not complete is shown, or the last that is', () => {
  const jobs = ['old', 'new'].map((name) => {
    const digest = digestAt(2000, 1);
    return { ...digest, spec: { ...digest.spec, jobId: jobId(name) }, phase: 'completed' as const };
  });
  const left = { ...digestAt(2000, 1), phase: 'running' as const };
  const shown = (digests: readonly JobDigest[], named: string | null): string | undefined =>
    modelOf(seenAt(2000, digests), named).job?.jobId;
  assert.equal(shown(jobs, 'old'), 'old');
  assert.equal(shown(jobs, 'forgotten'), 'new');
  assert.equal(shown([...jobs, left], 'forgotten'), left.spec.jobId);
});

test('leases that stand still are listed, counted per node and marked on the map', () => {
  const { job } = modelOf(seenAt(12_000, [digestAt(12_000, 2)]));
  assert.deepEqual([job?.activeLeases, job?.stalledCount], [2, 2]);
  assert.deepEqual(
    job?.stalled.map(({ nodeId, start, end, stillMs }) => [nodeId, start, end, stillMs]),
    [
      ['node-0', 0, 10, 11_000],
      ['node-1', 10, 20, 11_000],
    ],
  );
  assert.deepEqual(job.nodes[0]?.stalledCount, 1);
  assert.deepEqual(job.map.slice(0, 3), [
    { done: 0, leased: 0, stalled: 1 },
    { done: 0, leased: 0, stalled: 1 },
    { done: 0, leased: 0, stalled: 0 },
  ]);
});

test('a node has its rate and says that it drains; a job says that it is held', () => {
  const digest = digestAt(2000, 2);
  const nodes = digest.nodes.map((node) => ({ ...node, draining: node.nodeId === 'node-1' }));
  const { job, jobs } = modelOf(seenAt(2000, [{ ...digest, nodes, paused: true }]));
  assert.deepEqual(
    job?.nodes.map(({ samplesPerSecond, isDraining }) => [samplesPerSecond, isDraining]),
    [
      [12.3, false],
      [null, true],
    ],
  );
  assert.deepEqual([job.isPaused, jobs[0]?.isPaused], [true, true]);
});

test('a standby judges nothing that only the leader hears of', () => {
  // It has read on since it told the others of 4 entries.
  const view = { role: 'standby' as const, who: 'b', address: 'h2:1', appliedSeq: 8 };
  const { job, coordinator } = modelOf(seenAt(60_000, [digestAt(60_000, 2)], view));
  assert.deepEqual(
    [job?.health, job?.healthReason, job?.nodes, job?.stalledCount],
    ['unknown', '', [], 0],
  );
  assert.deepEqual(job?.map[0], { done: 0, leased: 1, stalled: 0 });
  assert.deepEqual(
    coordinator.members.map(({ address, isLeader, isThis, lagEntries }) => [
      address,
      isLeader,
      isThis,
      lagEntries,
    ]),
    [
      ['h1:1', true, false, 0],
      ['h2:1', false, true, 1],
    ],
  );
});

test('a store of the state that is away is told with its reason', () => {
  const storeError = 'no answer from etcd at h3:2379';
  const away = { role: 'standby' as const, leader: null, candidates: [], storeError };
  const { coordinator } = modelOf(seenAt(2000, [digestAt(2000, 1)], away));
  assert.deepEqual([coordinator.storeError, coordinator.members], [storeError, []]);
  assert.equal(modelOf(seenAt(2000, [])).coordinator.storeError, '');
});

test('of several jobs the asked one is shown, or the first', () => {
  const digest = digestAt(2000, 1);
  const other = { ...digest, spec: { ...digest.spec, jobId: 'k' as typeof digest.spec.jobId } };
  const seen = seenAt(2000, [digest, other]);
  assert.equal(modelOf(seen).job?.jobId, 'job');
  assert.equal(modelOf(seen, 'k').job?.jobId, 'k');
  assert.equal(modelOf(seen, 'gone').job?.jobId, 'job');
  assert.deepEqual(
    modelOf(seen).jobs.map(({ jobId }) => jobId),
    ['job', 'k'],
  );
  assert.equal(modelOf(seenAt(2000, [])).job, null);
});

test('an update stays small with a thousand nodes', () => {
  const digest = digestAt(2000, 1000, { sampleCount: 100_000 });
  const text = JSON.stringify(modelOf(seenAt(2000, [digest])));
  assert.ok(text.length < 64_000, `${text.length} bytes`);
});
