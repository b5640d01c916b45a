/**
 * Agents' machines against the coordinator's, in virtual time, over a network that loses, delays and
 * reorders, with workers that die, stand still and choke on a sample, and a coordinator that restarts.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ErrorCode } from '../base/errors.ts';
import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { assertInvariants, emptyState, step, takeOver } from '../job/coordinator.ts';
import { IDLE_STATS } from '../job/job-state.ts';
import type { Command, JobSpec, Reply } from '../job/protocol.ts';
import type { WorkOrder } from './crew-protocol.ts';
import type { HolderAnswer, HolderCall, NodeOutcome, StagedPiece } from './holder-protocol.ts';
import { Jitter } from '../base/jitter.ts';
import {
  newNode,
  nodeWakeMs,
  stepNode,
  type NodeEffect,
  type NodeEvent,
  type NodeState,
} from './node-machine.ts';

const JOB = jobId('job');
const TTL_MS = 1_000;
const NO_BYTES = new Uint8Array(0);
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

interface Faults {
  /** Probability that a call, or its answer, is lost. */
  readonly loss: number;
  readonly delayMsMax: number;
  /** Probability per batch that the worker dies, and that it stands still. */
  readonly death: number;
  readonly standstill: number;
  /** Probability per 100 ms that the coordinator restarts. */
  readonly restart: number;
  readonly poison: readonly number[];
}

const CALM: Faults = {
  loss: 0,
  delayMsMax: 5,
  death: 0,
  standstill: 0,
  restart: 0,
  poison: [],
};

interface Scene {
  readonly seed: number;
  readonly samples: number;
  readonly blockSize: number;
  readonly nodes: number;
  readonly want: number;
  readonly workers: number;
  readonly stages: boolean;
  readonly faults: Faults;
  readonly calmAfterMs: number;
}

class World {
  readonly scene: Scene;
  readonly chance: Jitter;
  readonly queue: { atMs: number; order: number; run: () => void }[] = [];
  state = emptyState();
  epoch = 1;
  seq = 0;
  nowMs = 0;
  order = 0;
  readonly nodes: SimNode[] = [];
  readonly delivered = new Set<number>();

  constructor(scene: Scene) {
    this.scene = scene;
    this.chance = new Jitter(scene.seed);
    const spec: JobSpec = {
      jobId: JOB,
      manifestHash: manifestHash('0'.repeat(64)),
      sampleCount: scene.samples,
      blockSize: scene.blockSize,
      worldSize: scene.nodes,
      minWorldSize: 1,
      shuffle: true,
      seed: BigInt(scene.seed),
      epoch: 0,
      leaseTtlMs: TTL_MS,
      heartbeatIntervalMs: 100,
      commitsOutputs: scene.stages,
      adoptsFirstJobId: false,
    };
    this.do({ type: 'create_job', spec });
    for (let index = 0; index < scene.nodes; index += 1) {
      this.nodes.push(new SimNode(this, `n${index}`, scene.seed + index));
    }
    this.every(20, () => this.do({ type: 'tick' }));
    this.every(100, () => {
      if (this.happens('restart')) this.restart();
    });
  }

  get faults(): Faults {
    return this.nowMs < this.scene.calmAfterMs ? this.scene.faults : CALM;
  }

  happens(fault: 'loss' | 'death' | 'standstill' | 'restart'): boolean {
    return this.chance.fraction() < this.faults[fault];
  }

  do(command: Command): Reply {
    this.seq += 1;
    const context = {
      nowMs: monoMs(this.nowMs),
      nowUnixMs: 0,
      epoch: this.epoch,
      seq: this.seq,
      nextIndex: 0,
    };
    const { reply } = step(this.state, command, context);
    assertInvariants(this.state);
    return reply;
  }

  restart(): void {
    this.epoch += 1;
    takeOver(this.state, monoMs(this.nowMs));
  }

  after(delayMs: number, run: () => void): void {
    this.order += 1;
    this.queue.push({ atMs: this.nowMs + delayMs, order: this.order, run });
  }

  every(periodMs: number, run: () => void): void {
    this.after(periodMs, () => {
      run();
      this.every(periodMs, run);
    });
  }

  runUntil(limitMs: number, done: () => boolean): void {
    for (const node of this.nodes) node.tell({ type: 'start', nowMs: monoMs(this.nowMs) });
    for (let steps = 0; !done(); steps += 1) {
      assert(steps < 1_000_000, 'time passes');
      this.queue.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.queue.shift();
      assert(next !== undefined, 'the world goes on');
      assert(next.atMs <= limitMs, `the job ended before ${limitMs} ms`);
      this.nowMs = next.atMs;
      next.run();
    }
  }
}

class SimNode {
  readonly world: World;
  readonly name: string;
  readonly state: NodeState;
  outcome: NodeOutcome | null = null;
  wakeAtMs = Infinity;
  readonly workers = new Map<number, SimWorker>();
  readonly staged = new Set<string>();
  readonly reported = new Map<string, number>();

  constructor(world: World, name: string, seed: number) {
    this.world = world;
    this.name = name;
    const { want, workers, stages } = world.scene;
    this.state = newNode(
      {
        holder: { want, progressIntervalMs: 100, finalizes: stages, nodeIdBusyMaxMs: null, seed },
        crew: { workers, stages, stallTimeoutMs: 500, onError: 'quarantine', jobFile: '/j.ts' },
      },
      monoMs(0),
    );
  }

  tell(event: NodeEvent): void {
    for (const effect of stepNode(this.state, event)) this.carryOut(effect);
    this.checkLeases();
    const wake = nodeWakeMs(this.state);
    if (wake === null || wake >= this.wakeAtMs) return;
    this.wakeAtMs = wake;
    this.world.after(Math.max(0, wake - this.world.nowMs), () => {
      this.wakeAtMs = Infinity;
      this.tell({ type: 'tick', nowMs: monoMs(this.world.nowMs) });
    });
  }

  /** What it works on is its own, at the coordinator too, or is finished there. */
  checkLeases(): void {
    const job = this.world.state.jobs.get(JOB);
    assert(job !== undefined);
    for (const held of this.state.holder.leases.values()) {
      if (!held.started || this.world.nowMs >= held.deadlineMs) continue;
      const { leaseId } = held.lease;
      const live = job.leases.get(leaseId);
      const known =
        live?.nodeId === this.name || job.finished.has(leaseId) || held.releasing !== null;
      assert(known, `${this.name} works on lease ${leaseId}, which is not its own any more`);
    }
  }

  carryOut(effect: NodeEffect): void {
    switch (effect.type) {
      case 'call':
        this.call(effect.callId, effect.call);
        return;
      case 'spawn':
        this.workers.set(effect.slot, new SimWorker(this, effect.slot, effect.incarnation));
        return;
      case 'kill':
        this.workers.get(effect.slot)?.die('killed');
        return;
      case 'start_work':
        this.workers.get(effect.slot)?.take(effect.order);
        return;
      case 'stop_work':
        this.workers.get(effect.slot)?.stop(effect.workId, effect.flush);
        return;
      case 'piece_committed': {
        const key = `${effect.piece.leaseId}:${effect.piece.start}-${effect.piece.end}`;
        assert(this.staged.has(key), 'only what was staged here is committed here');
        return;
      }
      case 'finalize_granted': {
        const { finalizeToken } = effect;
        this.world.after(30, () => {
          const nowMs = monoMs(this.world.nowMs);
          const outputManifestHash = manifestHash('1'.repeat(64));
          this.tell({ type: 'finalized', nowMs, finalizeToken, outputManifestHash });
        });
        return;
      }
      case 'ended':
        this.outcome = effect.outcome;
        for (const worker of this.workers.values()) worker.alive = false;
        return;
      default:
    }
  }

  call(callId: number, call: HolderCall): void {
    if (call.type === 'progress') {
      assert(call.cursor >= (this.reported.get(call.leaseId) ?? 0), 'progress never goes back');
      this.reported.set(call.leaseId, call.cursor);
    }
    const { world } = this;
    const lost = (): boolean => world.happens('loss');
    const delayMs = (): number => world.chance.fraction() * world.faults.delayMsMax;
    const unreachable = (): void => {
      const code: ErrorCode = 'coordinator_unavailable';
      this.tell({ type: 'call_failed', nowMs: monoMs(world.nowMs), callId, code, message: '' });
    };
    if (lost()) {
      world.after(20, unreachable);
      return;
    }
    world.after(delayMs(), () => {
      const reply = world.do(asCommand(this.name, call));
      if (lost()) {
        world.after(20, unreachable);
        return;
      }
      world.after(delayMs(), () => {
        const nowMs = monoMs(world.nowMs);
        if (reply.type === 'refused') {
          const { code, message } = reply;
          this.tell({ type: 'call_failed', nowMs, callId, code, message });
        } else this.tell({ type: 'answered', nowMs, callId, answer: asAnswer(reply) });
      });
    });
  }
}

/** Reads batches of three samples, stages every second batch. */
class SimWorker {
  readonly node: SimNode;
  readonly slot: number;
  readonly incarnation: number;
  alive = true;
  order: WorkOrder | null = null;
  stopping: 'flush' | 'drop' | null = null;
  cursor = 0;
  stagedTo = 0;

  constructor(node: SimNode, slot: number, incarnation: number) {
    this.node = node;
    this.slot = slot;
    this.incarnation = incarnation;
    this.later(10, () => this.tell({ type: 'worker_ready', slot, incarnation }));
  }

  tell(event: { readonly type: string } & Record<string, unknown>): void {
    if (!this.alive) return;
    this.node.tell({ ...event, nowMs: monoMs(this.node.world.nowMs) } as NodeEvent);
  }

  later(delayMs: number, run: () => void): void {
    this.node.world.after(delayMs, () => {
      if (this.alive) run();
    });
  }

  die(message: string): void {
    const { slot, incarnation } = this;
    const end = { code: 'worker_crashed' as const, message };
    this.node.world.after(5, () => {
      if (!this.alive) return;
      this.tell({ type: 'worker_exited', slot, incarnation, end });
      this.alive = false;
    });
  }

  take(order: WorkOrder): void {
    assert(this.order === null, 'a worker has one order at a time');
    this.order = order;
    this.stopping = null;
    this.cursor = order.start;
    this.stagedTo = order.start;
    this.later(1, () => this.batch());
  }

  stop(workId: number, flush: boolean): void {
    if (this.order?.workId === workId) this.stopping = flush ? 'flush' : 'drop';
  }

  batch(): void {
    const { order, node } = this;
    if (order === null) return;
    const { workId } = order;
    if (this.stopping !== null || this.cursor === order.end) {
      if (this.stopping !== 'drop') this.stage(order);
      this.order = null;
      this.tell({ type: 'work_done', workId });
      return;
    }
    const singly =
      order.singly !== null && this.cursor >= order.singly.start && this.cursor < order.singly.end;
    const end = Math.min(order.end, this.cursor + (singly ? 1 : 3));
    this.tell({ type: 'batch_begun', workId, start: this.cursor, end });
    const { world } = node;
    if (world.happens('standstill')) return;
    if (world.happens('death') || this.chokes(order, this.cursor, end)) {
      this.die('it died');
      return;
    }
    this.later(world.chance.fraction() * 40, () => {
      const samples = end - this.cursor;
      for (let id = this.cursor; id < end; id += 1) world.delivered.add(id);
      this.cursor = end;
      this.tell({ type: 'batch_done', workId, cursor: end, samples, bytes: samples });
      if (singly || end % 2 === 0) this.stage(order);
      this.batch();
    });
  }

  chokes(order: WorkOrder, start: number, end: number): boolean {
    const known = new Set(order.poisoned.map((sample) => sample.sampleId));
    const { poison } = this.node.world.scene.faults;
    return poison.some((id) => id >= start && id < end && !known.has(id));
  }

  stage(order: WorkOrder): void {
    if (!this.node.world.scene.stages || this.cursor === this.stagedTo) return;
    const ids = order.poisoned.map((sample) => sample.sampleId);
    const quarantined = ids.filter((id) => id >= this.stagedTo && id < this.cursor);
    quarantined.sort((a, b) => a - b);
    const { leaseId, workId } = order;
    const rows = this.cursor - this.stagedTo - quarantined.length;
    const piece: StagedPiece = {
      leaseId,
      start: this.stagedTo,
      end: this.cursor,
      rows,
      bytes: rows,
      quarantined,
    };
    this.stagedTo = this.cursor;
    this.node.staged.add(`${leaseId}:${piece.start}-${piece.end}`);
    this.tell({ type: 'piece_staged', workId, piece });
  }
}

function asCommand(name: string, call: HolderCall): Command {
  const from = { jobId: JOB, nodeId: nodeId(name), instanceId: name };
  switch (call.type) {
    case 'register':
      return { type: 'register', ...from, caps: CAPS, resumeFrom: NO_BYTES };
    case 'heartbeat':
      return { type: 'heartbeat', ...from, stats: IDLE_STATS, sentAtUnixMs: 0 };
    case 'request_leases':
      return { type: 'request_lease', ...from, want: call.want, held: call.held };
    case 'commit':
      return { ...call.piece, type: 'commit', ...from };
    default:
      return { ...call, ...from };
  }
}

function asAnswer(reply: Exclude<Reply, { type: 'refused' }>): HolderAnswer {
  switch (reply.type) {
    case 'registered':
    case 'leases':
    case 'accepted':
    case 'finalize':
    case 'ok':
      return reply;
    default:
      throw new Error(`unexpected reply ${reply.type}`);
  }
}

function play(scene: Scene): World {
  const world = new World(scene);
  world.runUntil(200_000, () => world.nodes.every((node) => node.outcome !== null));
  return world;
}

function checkEnd(world: World): void {
  const { stages, samples, faults } = world.scene;
  const outputManifestHash = stages ? '1'.repeat(64) : null;
  for (const node of world.nodes) {
    assert.deepEqual(node.outcome, { type: 'completed', outputManifestHash });
  }
  const job = world.state.jobs.get(JOB);
  assert.equal(job?.phase, 'completed');
  const { committed, quarantined } = job.work;
  assert.equal(committed + quarantined, samples);
  // A sample in hand of one worker after another that dies for other reasons may be blamed for it.
  const blameless = faults.death === 0 && faults.standstill === 0;
  if (blameless || !stages) assert.equal(quarantined, stages ? faults.poison.length : 0);
  if (quarantined > faults.poison.length) return;
  for (let id = 0; id < samples; id += 1) assert(world.delivered.has(id), `sample ${id}`);
}

const QUIET: Scene = {
  seed: 1,
  samples: 40,
  blockSize: 8,
  nodes: 2,
  want: 2,
  workers: 2,
  stages: true,
  faults: CALM,
  calmAfterMs: 0,
};

test('two agents commit every sample and one of them publishes the outputs', () => {
  checkEnd(play(QUIET));
});

test('a sample that ends its worker each time is found among its batch and quarantined', () => {
  const world = play({ ...QUIET, faults: { ...CALM, poison: [5, 6, 17] }, calmAfterMs: 1e9 });
  checkEnd(world);
});

test('under any losses, deaths, standstills and restarts no lease is worked on past its time and the job ends', () => {
  const faults = fc.record({
    loss: fc.double({ min: 0, max: 0.4, noNaN: true }),
    delayMsMax: fc.integer({ min: 1, max: 600 }),
    death: fc.double({ min: 0, max: 0.1, noNaN: true }),
    standstill: fc.double({ min: 0, max: 0.1, noNaN: true }),
    restart: fc.double({ min: 0, max: 0.05, noNaN: true }),
    poison: fc.constant([]),
  });
  const scene = fc.record({
    seed: fc.integer({ min: 0, max: 2 ** 31 }),
    samples: fc.integer({ min: 1, max: 60 }),
    blockSize: fc.integer({ min: 1, max: 12 }),
    nodes: fc.integer({ min: 1, max: 3 }),
    want: fc.integer({ min: 1, max: 4 }),
    workers: fc.integer({ min: 1, max: 3 }),
    stages: fc.boolean(),
    faults,
    calmAfterMs: fc.integer({ min: 0, max: 4_000 }),
  });
  fc.assert(
    fc.property(scene, (given) => checkEnd(play(given))),
    { numRuns: 60 },
  );
});
