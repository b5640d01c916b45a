import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { jobId, type LeaseId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { decodeRecords, decodeSnapshot, encodeRecords, encodeSnapshot } from './codec.ts';
import {
  applyEntry,
  assertInvariants,
  committedPieces,
  type CoordinatorState,
  emptyState,
  step,
  takeOver,
} from './coordinator.ts';
import type { Command, JobSnapshot, JobSpec, Lease, Reply } from './protocol.ts';

const JOB = jobId('job');
const TTL_MS = 1000;

/** A coordinator with its log, and nodes that remember what they were told. */
class World {
  state: CoordinatorState = emptyState();
  nowMs = 0;
  epoch = 1;
  seq = 0;
  readonly log: { epoch: number; seq: number; payload: Uint8Array }[] = [];
  snapshot: { bytes: Uint8Array; seq: number } | null = null;
  readonly leases: Map<string, Lease[]> = new Map<string, Lease[]>();
  readonly tokens: Set<string> = new Set<string>();
  readonly deliveries: Map<number, number> = new Map<number, number>();
  readonly spec: JobSpec;

  constructor(spec: JobSpec) {
    this.spec = spec;
    this.do({ type: 'create_job', spec });
  }

  do(command: Command): Reply {
    const context = {
      nowMs: monoMs(this.nowMs),
      nowUnixMs: 0,
      epoch: this.epoch,
      seq: this.seq + 1,
      nextIndex: 0,
      relief: 'double' as const,
    };
    const { records, reply } = step(this.state, command, context);
    if (records.length > 0) {
      this.seq += 1;
      this.log.push({ epoch: this.epoch, seq: this.seq, payload: encodeRecords(records) });
    }
    assertInvariants(this.state);
    return reply;
  }

  replay(fromSnapshot: boolean): CoordinatorState {
    const snapshot = fromSnapshot ? this.snapshot : null;
    const state = snapshot === null ? emptyState() : decodeSnapshot(snapshot.bytes);
    for (const entry of this.log) {
      if (entry.seq <= (snapshot?.seq ?? 0)) continue;
      applyEntry(state, { ...entry, records: decodeRecords(entry.payload) }, monoMs(0));
    }
    return state;
  }

  restart(): void {
    const before = encodeSnapshot(this.state, { durableOnly: true });
    this.state = this.replay(true);
    assert.deepEqual(encodeSnapshot(this.state, { durableOnly: true }), before);
    assert.deepEqual(encodeSnapshot(this.replay(false), { durableOnly: true }), before);
    this.epoch += 1;
    this.seq += 1;
    takeOver(this.state, monoMs(this.nowMs));
    assertInvariants(this.state);
  }

  read(): JobSnapshot {
    const reply = this.do({ type: 'get_snapshot', jobId: JOB });
    assert(reply.type === 'snapshot');
    return reply;
  }

  from(name: string): { jobId: typeof JOB; nodeId: ReturnType<typeof nodeId>; instanceId: string } {
    return { jobId: JOB, nodeId: nodeId(name), instanceId: `${name}-process` };
  }

  register(name: string): void {
    const caps = {
      maxFetchConcurrency: 1,
      maxDecodeConcurrency: 1,
      maxInflightBytes: 1,
      maxRamBytes: 1,
    };
    this.do({ type: 'register', ...this.from(name), caps, resumeFrom: new Uint8Array(0) });
  }

  requestLease(name: string, want: number, knows: boolean): void {
    const mine = this.leases.get(name) ?? [];
    const held = knows ? mine.map((lease) => lease.leaseId) : [];
    const reply = this.do({ type: 'request_lease', ...this.from(name), want, held });
    if (reply.type !== 'leases') return;
    const known = new Set(mine.map((lease) => lease.leaseId));
    for (const lease of reply.leases) {
      if (known.has(lease.leaseId)) continue;
      assert(!this.tokens.has(lease.leaseId), 'a token is granted once for ever');
      this.tokens.add(lease.leaseId);
      mine.push(lease);
    }
    this.leases.set(name, mine);
  }

  /** Commits (or reports) up to `samples` further samples of one of the node's leases, live or not. */
  work(name: string, pick: number, samples: number, repeat: boolean): void {
    const mine = this.leases.get(name) ?? [];
    const lease = mine[pick % Math.max(1, mine.length)];
    if (lease === undefined) return;
    const cursor = this.cursorOf(lease.leaseId) ?? lease.cursor;
    const end = Math.min(lease.range.end, cursor + samples);
    const before = this.read().samples.committed;
    const command = this.workCommand(name, lease.leaseId, cursor, end);
    const reply = this.do(command);
    const added = this.read().samples.committed - before;
    if (reply.type === 'accepted' && !reply.repeated) {
      assert.equal(added, end - cursor);
      for (let id = cursor; id < end; id += 1)
        this.deliveries.set(id, (this.deliveries.get(id) ?? 0) + 1);
    } else {
      assert.equal(added, 0, 'a refusal or a repeat commits nothing');
    }
    if (!repeat) return;
    const again = this.do(command);
    if (reply.type === 'accepted') assert(again.type === 'accepted' && again.repeated);
  }

  workCommand(name: string, leaseId: LeaseId, start: number, end: number): Command {
    if (this.spec.commitsOutputs) {
      return {
        type: 'commit',
        ...this.from(name),
        leaseId,
        start,
        end,
        rows: 0,
        bytes: 0,
        // Some nodes do not tell.
        ...(start % 3 === 0 ? { inputBytes: end - start } : {}),
        quarantined: [],
      };
    }
    return {
      type: 'progress',
      ...this.from(name),
      leaseId,
      cursor: end,
      deliveredSamples: 0,
      deliveredBytes: 0,
    };
  }

  cursorOf(leaseId: LeaseId): number | undefined {
    return this.read().liveLeases.find((lease) => lease.leaseId === leaseId)?.cursor;
  }
}

const specs = fc.record({
  sampleCount: fc.integer({ min: 1, max: 40 }),
  blockSize: fc.integer({ min: 1, max: 9 }),
  worldSize: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.boolean(),
  seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  commitsOutputs: fc.boolean(),
});

const names = fc.constantFrom('n1', 'n2', 'n3', 'n4');
const actions = fc.oneof(
  { weight: 2, arbitrary: names.map((name) => (world: World) => world.register(name)) },
  {
    weight: 4,
    arbitrary: fc.tuple(names, fc.integer({ min: 1, max: 4 }), fc.boolean()).map(
      ([name, want, knows]) =>
        (world: World) =>
          world.requestLease(name, want, knows),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(names, fc.nat(5), fc.integer({ min: 1, max: 9 }), fc.boolean()).map(
      ([name, pick, samples, repeat]) =>
        (world: World) =>
          world.work(name, pick, samples, repeat),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: TTL_MS * 2 }).map((deltaMs) => (world: World) => {
      world.nowMs += deltaMs;
      world.do({ type: 'tick' });
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(names, fc.nat(5)).map(([name, pick]) => (world: World) => {
      const mine = world.leases.get(name) ?? [];
      const lease = mine[pick % Math.max(1, mine.length)];
      if (lease !== undefined)
        world.do({ type: 'release', ...world.from(name), leaseId: lease.leaseId });
    }),
  },
  {
    weight: 1,
    arbitrary: names.map((name) => (world: World) => {
      world.do({ type: 'leave', ...world.from(name) });
    }),
  },
  { weight: 1, arbitrary: fc.constant((world: World) => world.restart()) },
  {
    weight: 1,
    arbitrary: fc.constant((world: World) => {
      world.snapshot = { bytes: encodeSnapshot(world.state), seq: world.seq };
    }),
  },
);

test('any sequence of requests keeps the exact cover, counts each sample once and replays to the same state', () => {
  fc.assert(
    fc.property(specs, fc.array(actions, { maxLength: 60 }), (shape, run) => {
      const world = makeWorld(shape);
      for (const action of run) action(world);
      world.restart();
      drain(world);
      const end = world.read();
      assert.equal(end.samples.committed, world.spec.sampleCount);
      assert(end.jobDrained && end.liveLeases.length === 0);
      for (let id = 0; id < world.spec.sampleCount; id += 1) {
        assert.equal(world.deliveries.get(id), 1, `sample ${id} is committed once`);
      }
      if (world.spec.commitsOutputs) assertPieces(world);
    }),
    { numRuns: 300 },
  );
});

function makeWorld(shape: {
  sampleCount: number;
  blockSize: number;
  worldSize: number;
  shuffle: boolean;
  seed: bigint;
  commitsOutputs: boolean;
}): World {
  return new World({
    ...shape,
    jobId: JOB,
    manifestHash: manifestHash('00'.repeat(32)),
    minWorldSize: 1,
    epoch: 0,
    leaseTtlMs: TTL_MS,
    heartbeatIntervalMs: 100,
    adoptsFirstJobId: false,
  });
}

/** Faults stop: everybody is lost, one new node comes and must be able to finish alone. */
function drain(world: World): void {
  world.nowMs += TTL_MS;
  world.do({ type: 'tick' });
  world.nowMs += TTL_MS;
  world.do({ type: 'tick' });
  world.leases.clear();
  world.register('last');
  for (let round = 0; round < 200 && !world.read().jobDrained; round += 1) {
    world.requestLease('last', 2, true);
    world.work('last', round, 1_000_000, false);
    const live = new Set(world.read().liveLeases.map((lease) => lease.leaseId));
    world.leases.set(
      'last',
      (world.leases.get('last') ?? []).filter((lease) => live.has(lease.leaseId)),
    );
  }
}

/** The committed pieces cover [0, N) without gap or overlap. */
function assertPieces(world: World): void {
  let at = 0;
  for (const piece of committedPieces(world.state, JOB, -1, 1000)) {
    assert.equal(piece.start, at);
    at = piece.end;
  }
  assert.equal(at, world.spec.sampleCount);
  const paged: number[] = [];
  for (let after = -1; ;) {
    const page = committedPieces(world.state, JOB, after, 3);
    if (page.length === 0) break;
    paged.push(...page.map((piece) => piece.start));
    after = page.at(-1)?.start ?? after;
  }
  assert.equal(new Set(paged).size, world.state.jobs.get(JOB)?.pieces.count);
}

test('a checkpoint taken at any moment lets another coordinator finish exactly the rest', () => {
  fc.assert(
    fc.property(specs, fc.array(actions, { maxLength: 40 }), (shape, run) => {
      const world = makeWorld({ ...shape, commitsOutputs: false });
      for (const action of run) action(world);
      const token = world.do({ type: 'get_checkpoint', jobId: JOB });
      assert(token.type === 'checkpoint');
      const fresh = makeWorld({ ...shape, commitsOutputs: false });
      const caps = {
        maxFetchConcurrency: 1,
        maxDecodeConcurrency: 1,
        maxInflightBytes: 1,
        maxRamBytes: 1,
      };
      const reply = fresh.do({
        type: 'register',
        ...fresh.from('n1'),
        caps,
        resumeFrom: token.bytes,
      });
      assert.equal(reply.type, 'registered');
      assert.equal(fresh.read().samples.committed, world.read().samples.committed);
      drain(fresh);
      const both = new Set([...world.deliveries.keys(), ...fresh.deliveries.keys()]);
      assert.equal(both.size, shape.sampleCount);
      for (const id of fresh.deliveries.keys())
        assert(!world.deliveries.has(id), `${id} is not done again`);
    }),
    { numRuns: 150 },
  );
});

test('a damaged checkpoint is refused and changes nothing', () => {
  const world = makeWorld({
    sampleCount: 10,
    blockSize: 3,
    worldSize: 1,
    shuffle: false,
    seed: 0n,
    commitsOutputs: false,
  });
  const token = world.do({ type: 'get_checkpoint', jobId: JOB });
  assert(token.type === 'checkpoint');
  const caps = {
    maxFetchConcurrency: 1,
    maxDecodeConcurrency: 1,
    maxInflightBytes: 1,
    maxRamBytes: 1,
  };
  for (let at = 0; at < token.bytes.length; at += 1) {
    const bad = token.bytes.slice();
    bad[at] = (bad[at] ?? 0) ^ 1;
    const reply = world.do({ type: 'register', ...world.from('n1'), caps, resumeFrom: bad });
    assert(reply.type === 'refused' && reply.code === 'checkpoint_invalid', `byte ${at}`);
    const cut = world.do({
      type: 'register',
      ...world.from('n1'),
      caps,
      resumeFrom: token.bytes.subarray(0, at),
    });
    assert(at === 0 || cut.type === 'refused', `cut at ${at}`);
    if (at === 0) world.do({ type: 'leave', ...world.from('n1') });
  }
  assert.equal(world.read().counters.resumeCheckpointAppliedTotal, 0);
});

test('state written by a newer version is refused with a sentence', () => {
  const text = new TextEncoder().encode('{"v":99,"r":[]}');
  assert.throws(() => decodeRecords(text), { code: 'coordinator_state_newer' });
  assert.throws(() => decodeRecords(text.subarray(0, 5)), { code: 'coordinator_state_invalid' });
});
