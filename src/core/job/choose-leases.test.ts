import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { emptyState, step } from './coordinator.ts';
import type { Command, JobSnapshot, LeaseChoice, LeasePart } from './protocol.ts';

const JOB = jobId('job');
const NODES = 4;
const LEASES_PER_NODE = 7;
const BLOCK = 10;
const STALL_MS = 1000;
const caps = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

/** A shuffled job of which each of four nodes holds seven leases; `node-0` moves its first on. */
function snapshotOf(seed: bigint, leases?: LeaseChoice): JobSnapshot {
  const state = emptyState();
  let seq = 0;
  const ask = (command: Command, nowMs = 0): ReturnType<typeof step>['reply'] => {
    seq += 1;
    const at = { epoch: 1, seq, nextIndex: 0 };
    return step(state, command, { nowMs: monoMs(nowMs), nowUnixMs: 0, ...at, relief: 'off' }).reply;
  };
  ask({
    type: 'create_job',
    spec: {
      ...{ jobId: JOB, manifestHash: manifestHash('ab'.repeat(32)), sampleCount: 400 },
      ...{ blockSize: BLOCK, worldSize: NODES, minWorldSize: 1, shuffle: true, seed, epoch: 0 },
      ...{ leaseTtlMs: 60_000, heartbeatIntervalMs: 1000, commitsOutputs: true },
      adoptsFirstJobId: false,
    },
  });
  for (let index = 0; index < NODES; index += 1) {
    const from = { jobId: JOB, nodeId: nodeId(`node-${index}`), instanceId: `p${index}` };
    ask({ type: 'register', ...from, caps, resumeFrom: new Uint8Array(0) });
    const reply = ask({ type: 'request_lease', ...from, want: LEASES_PER_NODE, held: [] });
    assert(reply.type === 'leases');
    const [first] = reply.leases;
    if (index > 0 || first === undefined) continue;
    const report = { leaseId: first.leaseId, deliveredSamples: 4, deliveredBytes: 4 };
    ask({ type: 'progress', ...from, ...report, cursor: first.range.start + 4 }, STALL_MS);
  }
  const choice = leases === undefined ? {} : { leases };
  const reply = ask({ type: 'get_snapshot', jobId: JOB, ...choice }, STALL_MS);
  assert(reply.type === 'snapshot');
  return reply;
}

const choose = (part: LeasePart, wholeUpTo = 0): LeaseChoice => ({
  ...{ wholeUpTo, part, stallMs: STALL_MS },
});
const startsOf = ({ liveLeases }: JobSnapshot): readonly number[] =>
  liveLeases.map(({ range }) => range.start);
const ALL = NODES * LEASES_PER_NODE;

test('leases by place are that page of all of them in order of their first sample', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 99n), fc.nat(30), fc.nat(30), (seed, from, count) => {
      const all = [...startsOf(snapshotOf(seed))].sort((a, b) => a - b);
      assert.equal(all.length, ALL);
      const page = snapshotOf(seed, choose({ type: 'places', from, count }));
      assert.deepEqual(startsOf(page), all.slice(from, from + count));
    }),
    { numRuns: 40 },
  );
});

test('leases of a node, and of samples, are all of those and no others', () => {
  const all = snapshotOf(3n).liveLeases.toSorted((a, b) => a.range.start - b.range.start);
  const mine = snapshotOf(3n, choose({ type: 'node', nodeId: nodeId('node-1') }));
  assert.deepEqual(
    mine.liveLeases,
    all.filter((lease) => lease.nodeId === 'node-1'),
  );
  assert.equal(mine.liveLeases.length, LEASES_PER_NODE);
  const samples = { start: 95, end: 241 };
  const near = snapshotOf(3n, choose({ type: 'samples', samples }));
  const isNear = (start: number): boolean => start >= 90 && start <= 240;
  assert.deepEqual(
    near.liveLeases,
    all.filter(({ range }) => isNear(range.start)),
  );
  const nobody = choose({ type: 'node', nodeId: nodeId('nobody') });
  assert.deepEqual(snapshotOf(3n, nobody).liveLeases, []);
});

test('all leases are counted, however many are listed, and each node says how many it has', () => {
  const { leases, nodes, liveLeases } = snapshotOf(
    5n,
    choose({ type: 'places', from: 0, count: 0 }),
  );
  assert.deepEqual(liveLeases, []);
  // Those of `node-0` wait behind the one that moved.
  assert.deepEqual(
    [leases?.count, leases?.stalledCount, leases?.leastStillMs],
    [ALL, ALL - LEASES_PER_NODE, 0],
  );
  assert.equal(leases?.stalled.length, 20);
  assert.deepEqual(
    nodes.map(({ leaseCount, deliveredSamples }) => [leaseCount, deliveredSamples]),
    [
      [7, 4],
      [7, 0],
      [7, 0],
      [7, 0],
    ],
  );
});

test('where there are few leases all are listed, whichever are asked for', () => {
  const part: LeasePart = { type: 'places', from: 5, count: 1 };
  assert.equal(snapshotOf(1n, choose(part, ALL)).liveLeases.length, ALL);
  assert.equal(snapshotOf(1n, choose(part, ALL - 1)).liveLeases.length, 1);
  assert.equal(snapshotOf(1n).leases, null);
});
