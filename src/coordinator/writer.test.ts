import assert from 'node:assert/strict';
import test from 'node:test';
import { AssertionFailed } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import {
  compareLeasePositions,
  jobId,
  manifestHash,
  nodeId,
  parseLeaseId,
} from '../core/base/units.ts';
import { encodeSnapshot } from '../core/job/codec.ts';
import { assertInvariants } from '../core/job/coordinator.ts';
import { IDLE_STATS } from '../core/job/job-state.ts';
import type { Command, Fact, Lease, Reply } from '../core/job/protocol.ts';
import { MemoryLog, MemoryLogDisk } from '../log/memory-log.ts';
import type { AppendResult, LogStore } from '../ports/log-store.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { TEST_CAPS, testSpec } from '../testing/test-coordinator.ts';
import { QUEUE_COMMANDS_MAX, SNAPSHOT_PAYLOAD_BYTES } from './limits.ts';
import { Writer, type WriterOptions } from './writer.ts';

const JOB = jobId('job');
const HASH = manifestHash('ab'.repeat(32));
const NODE = { jobId: JOB, nodeId: nodeId('n'), instanceId: 'i' };
const TICK_MS = 100;
const HOUR_MS = 3_600_000;

/** A log whose appends wait, fail or are fenced as a test says. */
class UnruledLog extends MemoryLog {
  beforeAppend: () => Promise<void> = () => Promise.resolve();

  override async append(...entry: Parameters<LogStore['append']>): Promise<AppendResult> {
    await this.beforeAppend();
    return super.append(...entry);
  }
}

interface World {
  readonly writer: Writer;
  readonly clock: FakeClock;
  readonly log: UnruledLog;
  readonly disk: MemoryLogDisk;
  readonly events: RecordingEvents;
  readonly fatal: Mx8Error[];
  readonly facts: Fact[];
}

async function started(
  disk = new MemoryLogDisk(),
  clock = new FakeClock(),
  options: Pick<WriterOptions, 'mayLead'> = {},
): Promise<World> {
  const log = new UnruledLog(disk);
  const events = new RecordingEvents();
  const fatal: Mx8Error[] = [];
  const facts: Fact[] = [];
  const writer = new Writer({
    log,
    clock,
    random: seededRandom(disk.epoch + 1),
    events,
    tickIntervalMs: TICK_MS,
    onFatal: (error) => fatal.push(error),
    ...options,
  });
  writer.onFacts((batch) => facts.push(...batch));
  await writer.start();
  return { writer, clock, log, disk, events, fatal, facts };
}

async function withJob(changes: Parameters<typeof testSpec>[1] = {}): Promise<World> {
  const world = await started();
  await world.writer.submit({ type: 'create_job', spec: testSpec(HASH, changes) });
  await world.writer.submit(register);
  return world;
}

const register: Command = {
  type: 'register',
  ...NODE,
  caps: TEST_CAPS,
  resumeFrom: new Uint8Array(0),
};
const heartbeat: Command = { type: 'heartbeat', ...NODE, stats: IDLE_STATS, sentAtUnixMs: 0 };

function leaseRequest(want: number): Command {
  return { type: 'request_lease', ...NODE, want, held: null };
}

function progress(leaseId: string, cursor: number): Command {
  return { type: 'progress', ...NODE, leaseId, cursor, deliveredSamples: 0, deliveredBytes: 0 };
}

async function leased({ writer }: World, want: number): Promise<readonly Lease[]> {
  const reply = await writer.submit(leaseRequest(want));
  assert(reply.type === 'leases');
  return reply.leases;
}

/** The leases that live, and how many have expired. */
async function liveAndExpired({ writer }: World): Promise<[string[], number]> {
  const reply = await writer.submit({ type: 'get_snapshot', jobId: JOB });
  assert(reply.type === 'snapshot');
  return [reply.liveLeases.map(({ leaseId }) => leaseId), reply.counters.leasesExpiredTotal];
}

/** The durable part of the state, as bytes. */
function identity(writer: Writer): Promise<Uint8Array> {
  return writer.read((state) => encodeSnapshot(state, { durableOnly: true }));
}

test('no reply and no fact is out before the entry that it rests on is durable', async () => {
  const world = await withJob();
  const sync = Promise.withResolvers<void>();
  world.log.beforeAppend = () => sync.promise;
  world.facts.length = 0;
  const replies: Reply[] = [];
  const asked = [leaseRequest(1), heartbeat].map((command) =>
    world.writer.submit(command).then((reply) => replies.push(reply)),
  );
  await world.clock.advance(0);
  // A read that comes while the write is under way would see what is not durable yet: it waits too.
  const read = { type: 'get_snapshot', jobId: JOB } as const;
  asked.push(world.writer.submit(read).then((reply) => replies.push(reply)));
  await world.clock.advance(0);
  assert.deepEqual([replies, world.facts], [[], []]);
  sync.resolve();
  await Promise.all(asked);
  assert.deepEqual(
    replies.map(({ type }) => type),
    ['leases', 'ok', 'snapshot'],
  );
  assert.deepEqual(
    world.facts.map(({ event }) => event),
    ['lease_granted'],
  );
});

test('a wall clock that is set back, while one leads and before the next starts, moves no lease and no order', async () => {
  const world = await withJob();
  const { clock } = world;
  const { leaseTtlMs } = testSpec(HASH);
  const tokens = (await leased(world, 1)).map(({ leaseId }) => leaseId);
  clock.stepWallClock(-HOUR_MS);
  await clock.advance(leaseTtlMs - TICK_MS);
  assert.deepEqual(await liveAndExpired(world), [tokens.slice(0, 1), 0]);
  await clock.advance(2 * TICK_MS);
  assert.deepEqual(await liveAndExpired(world), [[], 1]);
  await world.writer.submit(register);
  tokens.push(...(await leased(world, 1)).map(({ leaseId }) => leaseId));
  clock.stepWallClock(-HOUR_MS);
  const next = await started(world.disk, clock);
  await clock.advance(leaseTtlMs - TICK_MS);
  assert.deepEqual(await liveAndExpired(next), [tokens.slice(1, 2), 1]);
  await next.writer.submit(register);
  tokens.push(...(await leased(next, 1)).map(({ leaseId }) => leaseId));
  await clock.advance(2 * TICK_MS);
  assert.deepEqual(await liveAndExpired(next), [tokens.slice(2, 3), 2]);
  const positions = tokens.map((token) => parseLeaseId(token) ?? assert.fail(token));
  assert.deepEqual(positions.toSorted(compareLeasePositions), positions);
});

test('what arrives together shares one entry', async () => {
  const world = await withJob();
  const [first, second] = await leased(world, 2);
  assert.ok(first !== undefined && second !== undefined);
  const before = world.disk.tailSeq;
  await Promise.all([
    world.writer.submit(progress(first.leaseId, 4)),
    world.writer.submit(progress(second.leaseId, 14)),
    world.writer.submit(leaseRequest(1)),
  ]);
  assert.equal(world.disk.tailSeq, before + 1);
});

test('heartbeats, repeated progress, ticks and reads write nothing', async () => {
  const world = await withJob();
  const [lease] = await leased(world, 1);
  assert.ok(lease !== undefined);
  await world.writer.submit(progress(lease.leaseId, 3));
  const before = world.disk.tailSeq;
  for (let round = 0; round < 50; round += 1) {
    await world.writer.submit(heartbeat);
    await world.writer.submit(progress(lease.leaseId, 3));
    await world.writer.submit({ type: 'get_snapshot', jobId: JOB });
    await world.clock.advance(TICK_MS);
  }
  assert.equal(world.disk.tailSeq, before);
});

test('a write that fails ends the writer, and nobody is told that it did not happen', async () => {
  const world = await withJob();
  world.log.beforeAppend = () =>
    Promise.reject(new Mx8Error('coordinator_state_write_failed', 'the disk is full'));
  const unknown = { code: 'coordinator_unavailable' };
  const [asked, queued] = [world.writer.submit(leaseRequest(1)), world.writer.submit(heartbeat)];
  await assert.rejects(asked, unknown);
  await assert.rejects(queued, unknown);
  assert.deepEqual(
    world.fatal.map(({ code }) => code),
    ['coordinator_state_write_failed'],
  );
  await assert.rejects(world.writer.submit(heartbeat), unknown);
  assert.equal(
    world.facts.some(({ event }) => event === 'lease_granted'),
    false,
  );
  assert.equal(world.clock.timerCount, 0);
  await world.writer.stop();

  // What the log says is the truth: the lease was never granted.
  const next = await started(world.disk);
  const [lease] = await leased(next, 1);
  assert.deepEqual(lease?.range, { start: 0, end: 10 });
});

test('a writer that was overtaken says that it leads no more', async () => {
  const world = await withJob();
  const rival = await started(world.disk);
  await assert.rejects(world.writer.submit(leaseRequest(1)), {
    code: 'not_leader',
    message: /not leader for mutating operation/,
  });
  assert.deepEqual(
    world.fatal.map(({ code }) => code),
    ['not_leader'],
  );
  assert.equal((await leased(rival, 1)).length, 1);
});

test('an elected leader that was deposed answers nothing from what it remembers', async () => {
  const world = await started(new MemoryLogDisk(), new FakeClock(), { mayLead: () => true });
  await world.writer.submit({ type: 'create_job', spec: testSpec(HASH) });
  await world.writer.submit(register);
  const read = { type: 'get_snapshot', jobId: JOB } as const;
  assert.equal((await world.writer.submit(read)).type, 'snapshot');
  await started(world.disk);
  const asked = [world.writer.submit(read), world.writer.submit(heartbeat)];
  for (const one of asked) await assert.rejects(one, { code: 'not_leader' });
  assert.deepEqual(
    world.fatal.map(({ code }) => code),
    ['not_leader'],
  );
});

test('while the log cannot say who leads a read is refused for now, and answered afterwards', async () => {
  const world = await started(new MemoryLogDisk(), new FakeClock(), { mayLead: () => true });
  await world.writer.submit({ type: 'create_job', spec: testSpec(HASH) });
  const read = { type: 'get_snapshot', jobId: JOB } as const;
  world.log.confirm = () => Promise.reject(new Mx8Error('store_unavailable', 'the store is away'));
  await assert.rejects(world.writer.submit(read), {
    code: 'coordinator_unavailable',
    message: /cannot be sure that it leads/,
  });
  // What this process asks itself before it serves is said to nobody else.
  const again = { type: 'create_job', spec: testSpec(HASH) } as const;
  assert.equal((await world.writer.submit(again, true)).type, 'job_created');
  world.log.confirm = (epoch) => new MemoryLog(world.disk).confirm(epoch);
  assert.equal((await world.writer.submit(read)).type, 'snapshot');
  assert.deepEqual(world.fatal, []);
});

test('a bug in a step ends the writer instead of going on with a broken state', async () => {
  const world = await withJob();
  const broken = world.writer.read(() => {
    throw new AssertionFailed('bug in mx8: not true that it holds');
  });
  await assert.rejects(broken, { code: 'coordinator_unavailable' });
  assert.deepEqual(
    world.fatal.map(({ code }) => code),
    ['internal'],
  );
});

test('a restart has the state that was answered, and leases live their full time again', async () => {
  const world = await withJob({ leaseTtlMs: 1000, heartbeatIntervalMs: 100, commitsOutputs: true });
  const leases = await leased(world, 3);
  const [first] = leases;
  assert.ok(first !== undefined);
  const { leaseId } = first;
  const output = { leaseId, start: 0, end: 4, rows: 4, bytes: 4, quarantined: [2] };
  await world.writer.submit({ type: 'commit', ...NODE, ...output });
  await world.clock.advance(900);
  const before = await identity(world.writer);
  await world.writer.stop();

  const next = await started(world.disk, world.clock);
  assert.deepEqual(await identity(next.writer), before);
  await next.clock.advance(950);
  assert.deepEqual(next.facts, []);
  await next.clock.advance(200);
  const expired = next.facts.filter(({ event }) => event === 'lease_expired');
  assert.equal(expired.length, leases.length);
  await next.writer.read(assertInvariants);
});

test('snapshots keep the log short, and a restart from one has the same state', async () => {
  const world = await withJob();
  await leased(world, 3);
  // One entry as large as many: a job may fail for a long-winded reason.
  const message = 'why '.repeat(SNAPSHOT_PAYLOAD_BYTES / 4);
  await world.writer.submit({ type: 'fail_job', ...NODE, code: 'process_failed', message });
  await world.writer.submit({ type: 'resume_job', jobId: JOB });
  assert.equal(world.writer.figures.snapshotsTaken, 1);
  assert.equal(world.disk.entries.length, 1);
  const before = await identity(world.writer);
  await world.writer.stop();
  const next = await started(world.disk);
  // What follows the snapshot, and the claim of the restart itself.
  assert.equal(next.writer.figures.entriesReplayed, 1);
  assert.deepEqual(await identity(next.writer), before);
});

test('what a job failed with is kept without the signatures of links in it', async () => {
  const world = await withJob();
  const message = 'sample 3 at http://h/x?sig=hunter2 is not there';
  await world.writer.submit({ type: 'fail_job', ...NODE, code: 'object_missing', message });
  const told = world.facts.find(({ event }) => event === 'job_failed');
  const kept = await world.writer.read((state) => state.jobs.get(JOB)?.failure?.message);
  assert.equal(kept, 'sample 3 at http://h/x?sig=[redacted] is not there');
  assert.doesNotMatch(JSON.stringify(told), /hunter2/);
});

test('a pause of this process expires no lease', async () => {
  const world = await withJob({ leaseTtlMs: 1000, heartbeatIntervalMs: 100 });
  await leased(world, 2);
  // No timer fires while the process is stopped; then all are late at once.
  await world.clock.pause(60_000);
  await world.clock.advance(TICK_MS);
  assert.deepEqual(world.events.of('coordinator_stalled').length, 1);
  assert.equal(
    world.facts.some(({ event }) => event === 'lease_expired'),
    false,
  );
  await world.clock.advance(1200);
  assert.equal(world.facts.filter(({ event }) => event === 'lease_expired').length, 2);
});

test('a full queue refuses at once and says to repeat', async () => {
  const world = await withJob();
  const asked = Array.from({ length: QUEUE_COMMANDS_MAX }, () => world.writer.submit(heartbeat));
  await assert.rejects(world.writer.submit(heartbeat), {
    code: 'coordinator_unavailable',
    message: /repeat/,
  });
  assert.ok((await Promise.all(asked)).every(({ type }) => type === 'ok'));
});

test('a stop answers what was asked, then refuses', async () => {
  const world = await withJob();
  const asked = world.writer.submit(leaseRequest(1));
  const stopped = world.writer.stop();
  assert.equal((await asked).type, 'leases');
  await stopped;
  await assert.rejects(world.writer.submit(heartbeat), { code: 'coordinator_unavailable' });
  assert.equal(world.clock.timerCount, 0);
  assert.deepEqual(world.fatal, []);
});

test('an entry that cannot be read is refused with its number', async () => {
  const world = await withJob();
  await world.log.append(world.disk.tailSeq + 1, world.disk.epoch, Uint8Array.of(1, 2), 'n');
  await assert.rejects(started(world.disk), {
    code: 'coordinator_state_invalid',
    message: new RegExp(`entry ${world.disk.tailSeq}`),
  });
});

test('whoever may lead no more once it has read the log claims nothing', async () => {
  const disk = new MemoryLogDisk();
  await started(disk);
  const [epoch, tailSeq] = [disk.epoch, disk.tailSeq];
  const late = new Writer({
    log: new MemoryLog(disk),
    clock: new FakeClock(),
    random: seededRandom(9),
    events: new RecordingEvents(),
    tickIntervalMs: TICK_MS,
    mayLead: () => false,
    onFatal: () => undefined,
  });
  await assert.rejects(late.start(), { code: 'not_leader' });
  assert.deepEqual([disk.epoch, disk.tailSeq], [epoch, tailSeq]);
});
