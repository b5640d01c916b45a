/** How a node renews what it holds, as transcripts. The coordinator is the test. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { HolderScript } from '../../../test/support/holder-script.ts';
import { jobId, leaseId, manifestHash, nodeId, type LeaseId } from '../base/units.ts';
import type { JobSpec, Lease, LeasesGranted } from '../job/protocol.ts';
import type { HolderAnswer, HolderCall, HolderEffect } from './holder-protocol.ts';

/** Nine tenths of it are used. */
const TTL_MS = 10_000;
const ELASTIC = {
  ...{ transitionPending: false, transitionsTotal: 0, lastTransitionReason: '' },
  ...{ currentWorldSize: 1, targetWorldSize: 1, lastTransitionUnixMs: 0 },
};
const OK: HolderAnswer = { type: 'ok' };
const [A, B, C] = [id(0), id(1), id(2)];

function id(index: number): LeaseId {
  return leaseId({ epoch: 1, seq: 1, index });
}

function specOf(commitsOutputs: boolean): JobSpec {
  return {
    ...{ jobId: jobId('job'), manifestHash: manifestHash('0'.repeat(64)), sampleCount: 1e6 },
    ...{ blockSize: 10, worldSize: 2, minWorldSize: 1, shuffle: false, seed: 0n, epoch: 0 },
    ...{ leaseTtlMs: TTL_MS, heartbeatIntervalMs: 60_000, commitsOutputs },
    adoptsFirstJobId: false,
  };
}

function lease(index: number): Lease {
  const start = 10 * index;
  return {
    ...{ leaseId: id(index), nodeId: nodeId('n') },
    ...{ range: { start, end: start + 10 }, cursor: start },
  };
}

function granted(indexes: readonly number[]): LeasesGranted {
  const leases = indexes.map(lease);
  const rest = { waitMs: 60_000, jobDrained: false, phase: 'running', elastic: ELASTIC } as const;
  return { type: 'leases', leases, ...rest };
}

function ends(...all: readonly (number | null)[]): HolderAnswer {
  return { type: 'renewed', ends: all };
}

/** Holds three leases of ten samples, asked for at 0, and wants more. */
class Script extends HolderScript {
  readonly #commitsOutputs: boolean;

  constructor(leases = 3, commitsOutputs = false, progressIntervalMs = 500) {
    const options = { want: 2000, progressIntervalMs, finalizes: true, seed: 1 };
    super({ ...options, nodeIdBusyMaxMs: null }, shown);
    this.#commitsOutputs = commitsOutputs;
    this.tell({ type: 'start' });
    this.register();
    this.answer('heartbeat', OK);
    this.answer('request_leases', granted(Array.from({ length: leases }, (_, index) => index)));
  }

  register(): string[] {
    const spec = specOf(this.#commitsOutputs);
    const rest = { assignedRank: 0, registeredNodes: 1, jobReady: true, elastic: ELASTIC };
    return this.answer('register', { type: 'registered', spec, phase: 'running', ...rest });
  }

  tick(nowMs: number): string[] {
    return this.at(nowMs).tell({ type: 'tick' });
  }

  deliver(leaseIdOf: LeaseId, cursor: number): string[] {
    return this.tell({ type: 'delivered', leaseId: leaseIdOf, cursor, samples: 1, bytes: 1 });
  }
}

function shown(effect: HolderEffect): string[] {
  switch (effect.type) {
    case 'call':
      return callShown(effect.call);
    case 'lease_started':
      return [`start ${effect.lease.leaseId} at ${effect.lease.cursor}`];
    case 'lease_lost':
      return [`lost ${effect.leaseId}`];
    case 'lease_finished':
      return [`finished ${effect.leaseId}`];
    case 'lease_released':
      return [`released ${effect.leaseId}`];
    case 'lease_shortened':
      return [`${effect.leaseId} ends at ${effect.end}`];
    default:
      return [];
  }
}

function callShown(call: HolderCall): string[] {
  switch (call.type) {
    case 'renew':
      return [`renew ${call.leaseIds.join(' ')}`];
    case 'progress':
      return [`progress ${call.leaseId} ${call.cursor}`];
    case 'release':
      return [`release ${call.leaseId}`];
    case 'register':
      return ['register'];
    default:
      return [];
  }
}

test('all leases of which nothing is to be told are renewed in one call', () => {
  const script = new Script();
  assert.equal(script.wakeMs, 1_000);
  assert.deepEqual(script.tick(999), []);
  assert.deepEqual(script.tick(1_000), [`renew ${A} ${B} ${C}`]);
  assert.deepEqual(script.at(1_050).answer('renew', ends(10, 20, 30)), []);
  assert.equal(script.wakeMs, 2_000);
});

test('four renewals go in the time of a lease that lives shortly or is reported rarely', () => {
  assert.equal(new Script(3, false, 60_000).wakeMs, 2_250);
});

test('one that was reported lately waits for the next renewal of all, and one with news is reported', () => {
  const script = new Script();
  script.at(200).deliver(A, 3);
  assert.deepEqual(script.tick(699), []);
  assert.deepEqual(script.tick(700), [`progress ${A} 3`]);
  script.answer('progress', { type: 'accepted', cursor: 3, repeated: false, end: 10 });
  script.at(800).deliver(B, 14);
  assert.deepEqual(script.tick(1_000), [`renew ${A} ${C}`]);
  assert.deepEqual(script.tick(1_300), [`progress ${B} 14`]);
  script.answer('progress', { type: 'accepted', cursor: 14, repeated: false, end: 20 });
  script.answer('renew', ends(10, 30));
  assert.deepEqual(script.tick(2_000), [`renew ${A} ${B} ${C}`]);
});

test('the renewal goes before all else, as a coordinator may have no room for what comes last', () => {
  const script = new Script();
  assert.deepEqual(script.at(1_000).deliver(A, 10), [`renew ${B} ${C}`, `progress ${A} 10`]);
});

test('a lease’s time counts from when the renewal was sent, however late its answer', () => {
  const script = new Script();
  script.tick(1_000);
  script.at(8_900).answer('renew', ends(10, 20, 30));
  assert.deepEqual(script.tick(9_999), []);
  assert.deepEqual(script.tick(10_000), [`lost ${A}`, `lost ${B}`, `lost ${C}`]);
});

test('a lease that the coordinator does not know any more is lost, and no other', () => {
  const script = new Script();
  script.tick(1_000);
  assert.deepEqual(script.answer('renew', ends(10, null, 30)), [`lost ${B}`]);
  assert.deepEqual(script.tick(2_000), [`renew ${A} ${C}`]);
});

test('a lease that ends sooner by now is shortened', () => {
  const script = new Script(3, true);
  script.tick(1_000);
  assert.deepEqual(script.answer('renew', ends(10, 16, 30)), [`${B} ends at 16`]);
});

test('the end of a lease is reported while its renewal is under way, and the answer changes nothing then', () => {
  const script = new Script();
  script.tick(1_000);
  assert.deepEqual(script.deliver(A, 10), [`progress ${A} 10`]);
  const accepted = { type: 'accepted', cursor: 10, repeated: false, end: 10 } as const;
  assert.deepEqual(script.answer('progress', accepted), [`finished ${A}`]);
  assert.deepEqual(script.answer('renew', ends(null, 20, 30)), []);
});

test('of a lease that is given back meanwhile the answer to that tells', () => {
  const script = new Script();
  script.tick(1_000);
  assert.deepEqual(script.tell({ type: 'release', leaseId: B }), [`release ${B}`]);
  assert.deepEqual(script.answer('renew', ends(10, null, 30)), []);
  assert.deepEqual(script.answer('release', OK), [`released ${B}`]);
});

test('a lease that was lost and handed over again hears nothing from a renewal of its former life', () => {
  const script = new Script();
  script.tick(1_000);
  script.tell({ type: 'lease_revoked', leaseId: B, reason: 'no' });
  script.tick(60_000);
  script.answer('request_leases', granted([1, 3]));
  assert.deepEqual(script.answer('renew', ends(null, null, null)), []);
  assert.deepEqual(script.answer('renew', ends(20)), [`start ${B} at 10`]);
});

test('an answer that leaves leases out renews only the others', () => {
  const script = new Script();
  script.tick(1_000);
  assert.deepEqual(script.answer('renew', ends(10)), []);
  assert.deepEqual(script.tick(2_000), [`renew ${A} ${B} ${C}`]);
  assert.deepEqual(script.at(2_500).answer('renew', ends()), []);
  assert.deepEqual(script.tick(3_000), [`renew ${A} ${B} ${C}`]);
  assert.deepEqual(script.tick(9_000), [`lost ${B}`, `lost ${C}`]);
});

test('a coordinator that does not know the call is told of each lease by itself', () => {
  const script = new Script();
  script.tick(1_000);
  const alone = [`progress ${A} 0`, `progress ${B} 10`, `progress ${C} 20`];
  assert.deepEqual(script.at(1_010).refuse('renew', 'field_missing'), alone);
  for (const cursor of [0, 10, 20]) {
    script.answer('progress', { type: 'accepted', cursor, repeated: true, end: cursor + 10 });
  }
  assert.equal(script.wakeMs, 2_010);
  assert.deepEqual(script.tick(2_010), alone);
});

test('the next coordinator is asked for all at once again', () => {
  const script = new Script();
  script.tick(1_000);
  script.refuse('renew', 'field_missing');
  for (const code of ['not_leader', 'not_leader', 'not_leader'] as const)
    script.refuse('progress', code);
  assert.deepEqual(script.tick(2_800), ['register']);
  assert.deepEqual(script.register(), [`renew ${A} ${B} ${C}`]);
});

test('after a fault of the way the node registers, and renews at once', () => {
  const script = new Script();
  script.tick(1_000);
  assert.deepEqual(script.refuse('renew', 'coordinator_unavailable'), []);
  assert.deepEqual(script.tick(2_800), ['register']);
  assert.deepEqual(script.register(), [`renew ${A} ${B} ${C}`]);
});

test('one call renews no more leases than a coordinator takes', () => {
  const script = new Script(1025);
  const calls = script.tick(1_000);
  assert.deepEqual(
    calls.map((call) => call.split(' ').length - 1),
    [1024, 1],
  );
});
