/** Which nodes are told to wait for work, and when they hear of some. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { emptyState, step, type StepResult } from './coordinator.ts';
import { NO_WORK_WAIT_MAX_MS, NO_WORK_WAIT_MS, RELIEF_WAIT_MAX_MS } from './decide-grants.ts';
import type { Command, JobSpec, Lease, LeasesGranted, Relief } from './protocol.ts';

const JOB = jobId('job');
const TTL_MS = 10_000;
const caps = {
  ...{ maxFetchConcurrency: 1, maxDecodeConcurrency: 1 },
  ...{ maxInflightBytes: 1, maxRamBytes: 1 },
};

/** A job of two ranges of 100 samples, and nodes named n1 to n9. */
class World {
  readonly state = emptyState();
  readonly #relief: Relief;
  #seq = 0;
  nowMs = 0;

  constructor(more: Partial<JobSpec> = {}, relief: Relief = 'off') {
    this.#relief = relief;
    const spec = {
      ...{ jobId: JOB, manifestHash: manifestHash('ab'.repeat(32)), sampleCount: 200 },
      ...{ blockSize: 100, worldSize: 9, minWorldSize: 1, shuffle: false, seed: 0n, epoch: 0 },
      ...{ leaseTtlMs: TTL_MS, heartbeatIntervalMs: 1000, commitsOutputs: false },
      adoptsFirstJobId: false,
      ...more,
    };
    this.ask({ type: 'create_job', spec });
  }

  ask(command: Command): StepResult {
    this.#seq += 1;
    const at = { epoch: 1, seq: this.#seq, nextIndex: 0 };
    const time = { nowMs: monoMs(this.nowMs), nowUnixMs: 0 };
    return step(this.state, command, { ...time, ...at, relief: this.#relief });
  }

  /** Who is told to ask now by what `command` brings about. */
  told(command: Command): readonly string[] {
    return this.ask(command).facts.flatMap((fact) =>
      fact.event === 'work_waits' ? [fact.nodeId] : [],
    );
  }

  register(name: string, instanceId: string | null = name): StepResult {
    const from = { jobId: JOB, nodeId: nodeId(name), instanceId };
    return this.ask({ type: 'register', ...from, caps, resumeFrom: new Uint8Array(0) });
  }

  request(name: string, want: number, instanceId: string | null = name): LeasesGranted {
    const held = instanceId === null ? null : [];
    const from = { jobId: JOB, nodeId: nodeId(name), instanceId };
    const { reply } = this.ask({ type: 'request_lease', ...from, want, held });
    assert(reply.type === 'leases');
    return reply;
  }

  /** All work is with n1; the others, who have nothing, wait. */
  held(...others: readonly string[]): readonly Lease[] {
    this.register('n1');
    const { leases } = this.request('n1', 2);
    assert.equal(leases.length, 2);
    for (const name of others) {
      this.register(name);
      assert.equal(this.request(name, 1).leases.length, 0);
    }
    return leases;
  }
}

function release(leaseId: string | undefined): Command {
  assert(leaseId !== undefined);
  return { type: 'release', jobId: JOB, nodeId: nodeId('n1'), instanceId: 'n1', leaseId };
}

function operate(type: 'pause' | 'resume'): Command {
  return { type: 'operate', jobId: JOB, operation: { type }, dryRun: false };
}

test('a node that asks in vain may wait long, and one that is given work or is done may not', () => {
  const world = new World();
  world.register('n1');
  assert.equal(world.request('n1', 2).waitMaxMs, undefined);
  world.register('n2');
  const { waitMs, waitMaxMs } = world.request('n2', 1);
  assert.deepEqual([waitMs, waitMaxMs], [NO_WORK_WAIT_MS, NO_WORK_WAIT_MAX_MS]);
});

test('a node that may relieve others waits less long', () => {
  const world = new World({ commitsOutputs: true }, 'double');
  world.held();
  world.register('n2');
  assert.equal(world.request('n2', 1).waitMaxMs, RELIEF_WAIT_MAX_MS);
});

test('a node of v0 is never told', () => {
  const world = new World();
  const [first] = world.held();
  world.register('n2', null);
  assert.equal(world.request('n2', 1, null).waitMaxMs, undefined);
  assert.deepEqual(world.told(release(first?.leaseId)), []);
});

test('as many nodes are told of what is given back as there is work for, the longest waiting first', () => {
  const world = new World();
  const [first, second] = world.held('n2', 'n3', 'n4');
  assert.deepEqual(world.told(release(first?.leaseId)), ['n2']);
  assert.deepEqual(world.told(release(second?.leaseId)), ['n3']);
});

test('nodes are told of what ran out, and not by ticks that change nothing', () => {
  const world = new World();
  world.held('n2', 'n3', 'n4');
  assert.deepEqual(world.told({ type: 'tick' }), []);
  world.nowMs = TTL_MS - 1;
  for (const name of ['n2', 'n3', 'n4']) world.request(name, 1);
  world.nowMs = TTL_MS + 1;
  assert.deepEqual(world.told({ type: 'tick' }), ['n2', 'n3']);
});

test('a node whose session broke is not told in the place of one that hears', () => {
  const world = new World();
  const [first] = world.held('n2', 'n3');
  world.ask({ type: 'disconnect', jobId: JOB, nodeId: nodeId('n2'), instanceId: 'n2' });
  assert.deepEqual(world.told(release(first?.leaseId)), ['n3']);
});

test('all that wait are told that there is nothing left to wait for', () => {
  const world = new World();
  const leases = world.held('n2', 'n3');
  const told = leases.map(({ leaseId, range: { end } }) => {
    const from = { jobId: JOB, nodeId: nodeId('n1'), instanceId: 'n1' };
    const report = { leaseId, deliveredSamples: 100, deliveredBytes: 1 };
    return world.told({ type: 'progress', ...from, ...report, cursor: end });
  });
  assert.deepEqual(told, [[], ['n2', 'n3']]);
});

test('what is given back to a paused job is told of when it goes on', () => {
  const world = new World();
  const [first] = world.held('n2', 'n3');
  assert.deepEqual(world.told(operate('pause')), []);
  assert.deepEqual(world.told(release(first?.leaseId)), []);
  assert.deepEqual(world.told(operate('resume')), ['n2']);
});

test('who only asks whether the others are there is not counted as registered again', () => {
  const world = new World({ minWorldSize: 2 });
  const registerTotal = (): number | undefined => world.state.jobs.get(JOB)?.counters.registerTotal;
  for (let time = 0; time < 5; time += 1) world.register('n1');
  assert.equal(registerTotal(), 1);
  const { reply } = world.register('n1', 'another process');
  assert.equal(reply.type, 'refused');
  world.register('n2');
  // The job is ready: whoever registers now has lost its session, and got it again.
  world.register('n1');
  assert.equal(registerTotal(), 4);
});

test('who waits for others is told when they are there, and who came last is not', () => {
  const world = new World({ minWorldSize: 3 });
  for (const name of ['n1', 'n2', 'n2']) world.register(name);
  const from = { jobId: JOB, nodeId: nodeId('n3'), instanceId: 'n3' };
  const last = { type: 'register', ...from, caps, resumeFrom: new Uint8Array(0) } as const;
  assert.deepEqual(world.told(last), ['n1', 'n2']);
});
