import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { jobId, manifestHash, nodeId } from '../core/base/units.ts';
import { encodeSnapshot } from '../core/job/codec.ts';
import type { Command, Fact } from '../core/job/protocol.ts';
import { MemoryElection, MemoryElectionBoard } from '../log/memory-election.ts';
import { MemoryLog, MemoryLogDisk } from '../log/memory-log.ts';
import type { CandidateInfo } from '../ports/election.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { TEST_CAPS, testSpec } from '../testing/test-coordinator.ts';
import { Candidacy } from './candidacy.ts';
import type { Writer } from './writer.ts';

const TTL_MS = 2000;
const JOB = jobId('job');
const NODE = { jobId: JOB, nodeId: nodeId('n'), instanceId: 'i' };
const SPEC = testSpec(manifestHash('ab'.repeat(32)));

/** An election whose store a test can cut this candidate off from. */
class CuttableElection extends MemoryElection {
  isCut = false;

  override async renew(me: CandidateInfo): Promise<boolean> {
    this.#check();
    return super.renew(me);
  }

  override async campaign(me: CandidateInfo): ReturnType<MemoryElection['campaign']> {
    this.#check();
    return super.campaign(me);
  }

  override async resign(): Promise<void> {
    this.#check();
    return super.resign();
  }

  override async candidates(): Promise<readonly CandidateInfo[]> {
    this.#check();
    return super.candidates();
  }

  #check(): void {
    if (this.isCut) throw new Mx8Error('store_unavailable', 'the store is away');
  }
}

/** Whose whole can be long in coming. */
class SlowLog extends MemoryLog {
  isReadable: Promise<void> = Promise.resolve();

  override async load(): ReturnType<MemoryLog['load']> {
    await this.isReadable;
    return super.load();
  }
}

class World {
  readonly clock: FakeClock = new FakeClock();
  readonly board: MemoryElectionBoard = new MemoryElectionBoard(this.clock);
  readonly disk: MemoryLogDisk = new MemoryLogDisk();
  readonly facts: Fact[] = [];
  snapshotEntries = 1000;
  #made = 0;

  readonly #members: Member[] = [];

  /** Who leads by now. */
  leader(): Member {
    const leader = this.#members.find(({ leads }) => leads);
    assert(leader !== undefined, 'somebody leads');
    return leader;
  }

  async candidate(address?: string): Promise<Member> {
    this.#made += 1;
    const member = new Member(this, `c${this.#made}`, address ?? `127.0.0.1:${this.#made}`);
    this.#members.push(member);
    await this.#during(member.candidacy.start());
    await this.clock.advance(0);
    return member;
  }

  /** What waits for time gets it. */
  async #during(work: Promise<void>): Promise<void> {
    let isOver = false;
    const end = work.finally(() => {
      isOver = true;
    });
    end.catch(() => undefined);
    for (let turn = 0; turn < 50 && !isOver; turn += 1) await this.clock.advance(TTL_MS / 4);
    return end;
  }
}

class Member {
  readonly world: World;
  readonly election: CuttableElection;
  readonly log: SlowLog;
  readonly candidacy: Candidacy;
  readonly events: RecordingEvents = new RecordingEvents();
  readonly ended: (Mx8Error | null)[] = [];
  timesLeft = 0;
  /** What it was told about others. */
  heard: ('led' | 'changed')[] = [];

  constructor(world: World, who: string, address: string) {
    this.world = world;
    this.election = new CuttableElection(world.board, TTL_MS);
    this.log = new SlowLog(world.disk);
    this.candidacy = new Candidacy({
      log: this.log,
      election: this.election,
      clock: world.clock,
      random: seededRandom(who.charCodeAt(1)),
      events: this.events,
      tickIntervalMs: 100,
      snapshotEntries: world.snapshotEntries,
      who,
      address: () => address,
      check: () => undefined,
      prepare: async (writer) => {
        await writer.submit({ type: 'create_job', spec: SPEC });
      },
      onFacts: (facts) => world.facts.push(...facts),
      onLed: () => this.heard.push('led'),
      onLeaderChanged: () => this.heard.push('changed'),
      onLeft: () => {
        this.timesLeft += 1;
      },
      onEnded: (error) => this.ended.push(error),
    });
  }

  get writer(): Writer {
    const { writer } = this.candidacy;
    assert(writer !== null, 'it leads');
    return writer;
  }

  get leads(): boolean {
    return this.candidacy.writer !== null;
  }

  identity(): Uint8Array {
    return encodeSnapshot(this.candidacy.state, { durableOnly: true });
  }
}

const register: Command = {
  type: 'register',
  ...NODE,
  caps: TEST_CAPS,
  resumeFrom: new Uint8Array(0),
};
const wantOne: Extract<Command, { type: 'request_lease' }> = {
  type: 'request_lease',
  ...NODE,
  want: 1,
  held: [],
};

async function worked(member: Member): Promise<string> {
  await member.writer.submit(register);
  const reply = await member.writer.submit(wantOne);
  assert(reply.type === 'leases');
  const [lease] = reply.leases;
  assert(lease !== undefined);
  return lease.leaseId;
}

test('one leads, the others follow it and have its state', async () => {
  const world = new World();
  const first = await world.candidate();
  const second = await world.candidate();
  await worked(first);
  await world.clock.advance(300);
  assert.deepEqual([first.leads, second.leads], [true, false]);
  assert.deepEqual(second.candidacy.view.leader, { who: 'c1', address: '127.0.0.1:1' });
  assert.deepEqual(second.identity(), first.identity());
  assert.equal(second.candidacy.view.appliedSeq, first.candidacy.view.appliedSeq);
});

test('a leader that is cut off from the store stops answering before another one can lead', async () => {
  const world = new World();
  const first = await world.candidate();
  const second = await world.candidate();
  await world.clock.advance(TTL_MS);
  first.election.isCut = true;
  for (let spentMs = 0; spentMs < 2 * TTL_MS; spentMs += 50) {
    await world.clock.advance(50);
    assert(!(first.leads && second.leads), `only one leads after ${spentMs} ms`);
  }
  assert.deepEqual([first.leads, second.leads], [false, true]);
  assert.equal(first.timesLeft, 1);
  assert.equal(second.candidacy.view.epoch, 2);
});

test('a lease that lived at a fail-over gets its full time again, and its holder goes on', async () => {
  const world = new World();
  const first = await world.candidate();
  const second = await world.candidate();
  const leaseId = await worked(first);
  first.election.isCut = true;
  await world.clock.advance(2 * TTL_MS);
  const reply = await second.writer.submit({ type: 'get_snapshot', jobId: JOB });
  assert(reply.type === 'snapshot');
  const [lease] = reply.liveLeases;
  assert.equal(lease?.leaseId, leaseId);
  assert.ok((lease?.expiresInMs ?? 0) > SPEC.leaseTtlMs - 2 * TTL_MS);
  assert.equal(reply.counters.leasesExpiredTotal, 0);
  const done = { ...NODE, leaseId, cursor: 10, deliveredSamples: 10, deliveredBytes: 10 };
  const accepted = await second.writer.submit({ type: 'progress', ...done });
  assert.deepEqual(accepted, { type: 'accepted', cursor: 10, repeated: false, end: 10 });
});

test('what was asked of a leader whose log is taken is told to go elsewhere, and it follows again', async () => {
  const world = new World();
  const first = await world.candidate();
  await worked(first);
  const rival = new MemoryLog(world.disk);
  await rival.claim(world.disk.tailSeq, 9, 'rival');
  const refused = first.writer.submit({ ...wantOne, want: 2 });
  await assert.rejects(
    refused,
    (error) => error instanceof Mx8Error && error.code === 'not_leader',
  );
  await world.clock.advance(4 * TTL_MS);
  assert.deepEqual(first.ended, []);
  // Nobody else stands for election: it leads again, in an epoch after the rival's.
  assert.equal(first.leads, true);
  assert.equal(first.candidacy.view.epoch, 10);
});

test('a leader that is asked to stop answers what it was asked, and another leads at once', async () => {
  const world = new World();
  const first = await world.candidate();
  const second = await world.candidate();
  await first.writer.submit(register);
  const asked = first.writer.submit(wantOne);
  const stopped = first.candidacy.stop();
  assert.equal(first.leads, false);
  await world.clock.advance(0);
  assert.equal((await asked).type, 'leases');
  await stopped;
  await world.clock.advance(0);
  assert.equal(second.leads, true);
  assert.deepEqual(first.ended, [null]);
  const state = await second.writer.submit({ type: 'get_snapshot', jobId: JOB });
  assert(state.type === 'snapshot');
  assert.equal(state.liveLeases.length, 1);
});

test('a coordinator that starts while the store is away waits for it, and then takes part', async () => {
  const world = new World();
  const member = new Member(world, 'c1', '127.0.0.1:1');
  member.election.isCut = true;
  const started = member.candidacy.start();
  await world.clock.advance(5000);
  assert.equal(member.leads, false);
  member.election.isCut = false;
  await world.clock.advance(1000);
  await started;
  assert.equal(member.leads, true);
  assert.deepEqual(
    member.events.of('log_away').map(({ code }) => code),
    ['store_unavailable'],
  );
});

test('a coordinator that is asked to stop while it waits for the store ends', async () => {
  const world = new World();
  const member = new Member(world, 'c1', '127.0.0.1:1');
  member.election.isCut = true;
  const started = member.candidacy.start();
  await world.clock.advance(1000);
  const stopped = member.candidacy.stop();
  await world.clock.advance(1000);
  await Promise.all([started, stopped]);
  assert.deepEqual(member.ended, [null]);
});

test('a candidate whose address another one has is refused, once that one is known to live', async () => {
  const world = new World();
  await world.candidate('127.0.0.1:1');
  const twin = world.candidate('127.0.0.1:1');
  await assert.rejects(twin, (error) => {
    assert(error instanceof Mx8Error);
    assert.match(error.message, /127\.0\.0\.1:1, as this one does/);
    return error.code === 'candidate_duplicate';
  });
});

test('a standby hears that another leads, and before it takes over that the leader may have gone', async () => {
  const world = new World();
  const first = await world.candidate();
  assert.equal(first.heard.includes('led'), false);
  const second = await world.candidate();
  assert.equal(second.heard.at(-1), 'led');
  second.heard = [];
  const stopped = first.candidacy.stop();
  await world.clock.advance(1000);
  await stopped;
  assert.equal(second.leads, true);
  assert.equal(second.heard[0], 'changed');
  assert.equal(second.heard.includes('led'), false);
});

test('who lost the lead hears that another leads when it knows again which jobs there are', async () => {
  const world = new World();
  const first = await world.candidate();
  const second = await world.candidate();
  const { promise, resolve } = Promise.withResolvers<void>();
  first.log.isReadable = promise;
  first.election.isCut = true;
  await world.clock.advance(2 * TTL_MS);
  assert.equal(second.leads, true);
  first.election.isCut = false;
  await world.clock.advance(2 * TTL_MS);
  assert.equal(first.candidacy.view.leader?.who, 'c2');
  assert.equal(first.heard.includes('led'), false);
  assert.equal(first.candidacy.state.jobs.size, 0);

  resolve();
  await world.clock.advance(2 * TTL_MS);
  assert.equal(first.heard.at(-1), 'led');
  assert.deepEqual([...first.candidacy.state.jobs.keys()], [JOB]);
});

test('a job that was forgotten stays so through snapshots and fail-overs, and its name is free', async () => {
  for (const snapshotEntries of [2, 1000]) {
    const world = new World();
    world.snapshotEntries = snapshotEntries;
    const first = await world.candidate();
    const second = await world.candidate();
    const other = jobId('other');
    const spec = { ...SPEC, jobId: other };
    const admission = async ({ writer }: Member, instanceId: string): Promise<string | null> => {
      const reply = await writer.submit({ ...register, jobId: other, instanceId });
      return reply.type === 'registered' ? (reply.jobToken ?? '') : null;
    };
    await first.writer.submit({ type: 'create_job', spec });
    const token = (await admission(first, 'i')) ?? '';
    const leaves = { type: 'leave', ...NODE, jobId: other } as const;
    await first.writer.submit({ type: 'drain_job', jobId: other });
    await first.writer.submit(leaves);
    const operation = { type: 'forget' } as const;
    const forget = { type: 'operate', jobId: other, operation, dryRun: false } as const;
    assert.equal((await first.writer.submit(forget)).type, 'operated');
    await world.clock.advance(300);
    assert.deepEqual(second.identity(), first.identity());

    await Promise.all([first.candidacy.stop(), world.clock.advance(1000)]);
    await world.clock.advance(3000);
    const next = world.leader();
    assert.deepEqual([...next.candidacy.state.jobs.keys()], [JOB]);
    const again = await next.writer.submit(forget);
    assert.equal(again.type === 'refused' && again.code, 'job_unknown');
    // Whoever said which job it meant asks for something that is so already, whatever has the name by now.
    const named = { ...forget, operation: { ...operation, jobToken: token } } as const;
    const gone = { type: 'operated', changes: [] };
    assert.deepEqual(await next.writer.submit(named), gone);
    await next.writer.submit({ type: 'create_job', spec });
    await next.writer.submit({ type: 'drain_job', jobId: other });
    assert.deepEqual(await next.writer.submit(named), gone);
    assert.equal(next.candidacy.state.jobs.get(other)?.phase, 'draining');
    await next.writer.submit({ type: 'resume_job', jobId: other });
    const back = { ...register, jobId: other, jobToken: token };
    const refusal = await next.writer.submit(back);
    assert.equal(refusal.type === 'refused' && refusal.code, 'job_unknown');
    assert.notEqual(await admission(next, 'fresh'), token);
  }
});
