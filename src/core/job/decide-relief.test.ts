/** Who is relieved of what, and who is not. test/scenarios has the same as a conversation. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { assertInvariants, emptyState, step } from './coordinator.ts';
import type { Command, JobSpec, Lease, Relief, Reply } from './protocol.ts';

const JOB = jobId('job');
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};
const NOTHING = { deliveredSamples: 0, deliveredBytes: 0 };

/** `slow` holds two blocks of 100 samples, `fast` one, and both report as they go on. */
class Race {
  readonly #state = emptyState();
  readonly #relief: Relief;
  readonly #instances: Readonly<Record<string, string | null>>;
  #nowMs = 0;
  #seq = 0;
  readonly leases: Map<string, Lease[]> = new Map<string, Lease[]>();

  constructor(relief: Relief = 'double', spec: Partial<JobSpec> = {}, slow: string | null = 's') {
    this.#relief = relief;
    this.#instances = { slow, fast: 'f' };
    this.#do({
      type: 'create_job',
      spec: {
        jobId: JOB,
        manifestHash: manifestHash('00'.repeat(32)),
        sampleCount: 300,
        blockSize: 100,
        worldSize: 2,
        minWorldSize: 2,
        shuffle: false,
        seed: 0n,
        epoch: 0,
        leaseTtlMs: 10_000,
        heartbeatIntervalMs: 1_000,
        commitsOutputs: true,
        adoptsFirstJobId: false,
        ...spec,
      },
    });
    for (const name of ['slow', 'fast']) {
      const resumeFrom = new Uint8Array(0);
      this.#do({ type: 'register', ...this.#from(name), caps: CAPS, resumeFrom });
    }
    this.ask('slow', (spec.sampleCount ?? 300) / 100 - 1);
    this.ask('fast', 1);
  }

  /** Time passes in which `fast` does its lease and `slow` some samples of its own, in so many moves. */
  run(ms: number, slowSamples: number, slowMoves = 10): this {
    for (let at = 1; at <= 10; at += 1) {
      this.#nowMs += ms / 10;
      if (at % (10 / slowMoves) === 0) this.report('slow', 0, Math.floor((slowSamples * at) / 10));
      if (at < 10) this.report('fast', 100, 100 + 10 * at);
    }
    return this;
  }

  wait(ms: number): this {
    this.#nowMs += ms;
    return this;
  }

  report(name: string, start: number, cursor: number): Reply {
    const lease = this.#lease(name, start);
    const from = this.#from(name);
    const { leaseId } = lease;
    return this.#do({ type: 'progress', ...from, leaseId, cursor, ...NOTHING });
  }

  commit(name: string, start: number, end: number): Reply {
    const { leaseId } = this.#lease(name, start);
    const from = this.#from(name);
    const made = { rows: 0, bytes: 0, quarantined: [] };
    return this.#do({ type: 'commit', ...from, leaseId, start, end, ...made });
  }

  /** What the node is given: `start-end`, or nothing. */
  ask(name: string, want: number): string[] {
    const reply = this.#do({ type: 'request_lease', ...this.#from(name), want, held: null });
    assert(reply.type === 'leases');
    const mine = this.leases.get(name) ?? [];
    this.leases.set(name, mine);
    mine.push(...reply.leases);
    return reply.leases.map(({ range }) => `${range.start}-${range.end}`);
  }

  #lease(name: string, start: number): Lease {
    const found = this.leases.get(name)?.findLast(({ range }) => range.start === start);
    assert(found !== undefined, `${name} was given a lease from ${start} on`);
    return found;
  }

  #from(name: string): {
    readonly jobId: typeof JOB;
    readonly nodeId: ReturnType<typeof nodeId>;
    readonly instanceId: string | null;
  } {
    return { jobId: JOB, nodeId: nodeId(name), instanceId: this.#instances[name] ?? null };
  }

  #do(command: Command): Reply {
    this.#seq += 1;
    const at = { nowMs: monoMs(this.#nowMs), nowUnixMs: 0, epoch: 1, seq: this.#seq };
    const { reply } = step(this.#state, command, { ...at, nextIndex: 0, relief: this.#relief });
    assertInvariants(this.#state);
    return reply;
  }
}

test('what a slow node has not begun is taken whole, then the tail of what it has', () => {
  const race = new Race().run(1_000, 10);
  race.commit('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), ['200-300']);
  race.commit('fast', 200, 300);
  // 90 samples are left at 10 a second; the other node would do 100 a second.
  const [tail = ''] = race.ask('fast', 1);
  const [start = 0, end = 0] = tail.split('-').map(Number);
  assert.equal(end, 100);
  assert(start > 10 && start < 30, tail);
  const reply = race.report('slow', 0, 11);
  assert(reply.type === 'accepted' && reply.end === start);
});

test('a node that is not much slower is left alone', () => {
  const race = new Race().run(1_000, 60);
  race.commit('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), []);
});

test('a slow node that is done within a second is left alone', () => {
  const race = new Race('double', { sampleCount: 200 }).run(500, 45);
  race.commit('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), []);
});

test('what cannot be split is done twice, unless only splitting is allowed, or nothing', () => {
  for (const [relief, given] of [
    ['double', ['0-100']],
    ['split', []],
    ['off', []],
  ] as const) {
    // Its one move says that it may have as much in hand again.
    const race = new Race(relief, { sampleCount: 200 }).run(1_000, 0);
    race.commit('fast', 100, 200);
    race.wait(7_000).report('slow', 0, 60);
    assert.deepEqual(race.ask('fast', 1), given, relief);
  }
});

test('with relief off nothing is taken from anybody', () => {
  const race = new Race('off').run(1_000, 10);
  race.commit('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), []);
});

test('a node of mx8.v0 keeps its leases: it has no word for one that got shorter', () => {
  const race = new Race('double', {}, null).run(1_000, 10);
  race.commit('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), []);
});

test('in a job without outputs nothing is split: a report there says what was consumed', () => {
  const race = new Race('double', { commitsOutputs: false }).run(1_000, 10);
  race.report('fast', 100, 200);
  assert.deepEqual(race.ask('fast', 1), []);
});
