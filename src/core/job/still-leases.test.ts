import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { emptyState, step } from './coordinator.ts';
import { decodeSnapshot, encodeSnapshot } from './codec.ts';
import type { Command, Lease } from './protocol.ts';

const JOB = jobId('job');
const STALL_MS = 10_000;
const FROM = { jobId: JOB, nodeId: nodeId('n1'), instanceId: 'p1' };
const caps = {
  ...{ maxFetchConcurrency: 1, maxDecodeConcurrency: 1 },
  ...{ maxInflightBytes: 1, maxRamBytes: 1 },
};

/** One node that holds two leases of 100 samples since time 0. */
class World {
  state = emptyState();
  readonly leases: readonly Lease[];
  #seq = 0;

  constructor() {
    this.#ask(0, {
      type: 'create_job',
      spec: {
        ...{ jobId: JOB, manifestHash: manifestHash('ab'.repeat(32)), sampleCount: 400 },
        ...{ blockSize: 100, worldSize: 1, minWorldSize: 1, shuffle: false, seed: 0n, epoch: 0 },
        ...{ leaseTtlMs: 600_000, heartbeatIntervalMs: 1000, commitsOutputs: false },
        adoptsFirstJobId: false,
      },
    });
    this.#ask(0, { type: 'register', ...FROM, caps, resumeFrom: new Uint8Array(0) });
    const reply = this.#ask(0, { type: 'request_lease', ...FROM, want: 2, held: [] });
    assert(reply.type === 'leases');
    this.leases = reply.leases;
    assert.equal(this.leases.length, 2);
  }

  #ask(nowMs: number, command: Command): ReturnType<typeof step>['reply'] {
    this.#seq += 1;
    const at = { epoch: 1, seq: this.#seq, nextIndex: 0 };
    const time = { nowMs: monoMs(nowMs), nowUnixMs: 0 };
    return step(this.state, command, { ...time, ...at, relief: 'off' }).reply;
  }

  /** The node has done `samples` of its lease. */
  moves(nowMs: number, which: number, samples: number): void {
    const lease = this.leases[which];
    assert(lease);
    const report = { leaseId: lease.leaseId, deliveredSamples: 1, deliveredBytes: 1 };
    const cursor = lease.range.start + samples;
    this.#ask(nowMs, { type: 'progress', ...FROM, ...report, cursor });
  }

  /** How long each lease stands still, and how many are stalled. */
  still(nowMs: number): { readonly stillMs: readonly number[]; readonly stalled: number } {
    const leases = { wholeUpTo: 9, part: { type: 'places', from: 0, count: 9 } as const };
    const choice = { leases: { ...leases, stallMs: STALL_MS } };
    const reply = this.#ask(nowMs, { type: 'get_snapshot', jobId: JOB, ...choice });
    assert(reply.type === 'snapshot' && reply.leases !== null);
    return {
      stillMs: reply.liveLeases.map(({ stillMs }) => stillMs),
      stalled: reply.leases.stalledCount,
    };
  }
}

test('a lease that waits behind one that moves is not stalled', () => {
  const world = new World();
  for (const atMs of [5_000, 10_000, 15_000, 20_000]) world.moves(atMs, 0, atMs / 1000);
  assert.deepEqual(world.still(21_000), { stillMs: [1_000, 1_000], stalled: 0 });
});

test('a lease that waits behind one that stands still stands still with it', () => {
  const world = new World();
  world.moves(5_000, 0, 5);
  assert.deepEqual(world.still(16_000), { stillMs: [11_000, 11_000], stalled: 2 });
});

test('a lease whose turn has come is given its time', () => {
  const world = new World();
  world.moves(20_000, 0, 50);
  world.moves(29_000, 0, 100);
  assert.deepEqual(world.still(30_000), { stillMs: [1_000], stalled: 0 });
  assert.deepEqual(world.still(39_000), { stillMs: [10_000], stalled: 1 });
});

test('the lease that was granted first has no excuse: others of its node move', () => {
  const world = new World();
  for (const atMs of [5_000, 10_000]) world.moves(atMs, 1, atMs / 1000);
  assert.deepEqual(world.still(11_000), { stillMs: [11_000, 1_000], stalled: 1 });
});

test('one that has begun has no excuse either', () => {
  const world = new World();
  world.moves(1_000, 1, 1);
  for (const atMs of [5_000, 10_000]) world.moves(atMs, 0, atMs / 1000);
  assert.deepEqual(world.still(11_000), { stillMs: [1_000, 10_000], stalled: 1 });
});

test('who waits behind whom is known after a restart, too', () => {
  const world = new World();
  world.moves(5_000, 0, 5);
  world.state = decodeSnapshot(encodeSnapshot(world.state));
  for (const atMs of [6_000, 15_000]) world.moves(atMs, 0, atMs / 1000);
  assert.equal(world.still(16_000).stalled, 0);
});
