/**
 * A world of agents' machines against the coordinator's, in virtual time, over a network that loses, delays and
 * reorders, with workers that die, stand still and choke on a sample, and a coordinator that restarts.
 */
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/core/base/errors.ts';
import { jobId, manifestHash, monoMs, nodeId } from '../../src/core/base/units.ts';
import {
  assertInvariants,
  type CoordinatorState,
  emptyState,
  step,
  takeOver,
} from '../../src/core/job/coordinator.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import type { Command, Fact, JobSpec, Relief, Reply } from '../../src/core/job/protocol.ts';
import type { HolderCall, NodeOutcome } from '../../src/core/node/holder-protocol.ts';
import { Jitter } from '../../src/core/base/jitter.ts';
import {
  newNode,
  nodeWakeMs,
  stepNode,
  type NodeEffect,
  type NodeEvent,
  type NodeState,
} from '../../src/core/node/node-machine.ts';
import { SimWorker } from './node-worker.ts';
import { holderAnswer } from './holder-answer.ts';

const JOB = jobId('job');
const TTL_MS = 1_000;
const NO_BYTES = new Uint8Array(0);
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

type LeaseRevoked = Extract<Fact, { readonly event: 'lease_revoked' | 'lease_superseded' }>;

export interface Faults {
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

export const CALM: Faults = {
  loss: 0,
  delayMsMax: 5,
  death: 0,
  standstill: 0,
  restart: 0,
  poison: [],
};

export interface Scene {
  readonly seed: number;
  readonly samples: number;
  readonly blockSize: number;
  readonly nodes: number;
  readonly want: number;
  readonly workers: number;
  readonly stages: boolean;
  /** A batch takes up to so long. */
  readonly batchMsMax: number;
  /** How many times as long the first node takes for a batch. */
  readonly slowness: number;
  readonly relief: Relief;
  readonly faults: Faults;
  readonly calmAfterMs: number;
}

export class World {
  readonly scene: Scene;
  readonly chance: Jitter;
  readonly queue: { atMs: number; run: () => void }[] = [];
  state: CoordinatorState = emptyState();
  epoch = 1;
  seq = 0;
  nowMs = 0;
  readonly nodes: SimNode[] = [];
  readonly delivered: Set<number> = new Set<number>();
  readonly revoked: Set<string> = new Set<string>();

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
      const batchMsMax = scene.batchMsMax * (index === 0 ? scene.slowness : 1);
      this.nodes.push(new SimNode(this, `n${index}`, scene.seed + index, batchMsMax));
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
      relief: this.scene.relief,
    };
    const { reply, facts } = step(this.state, command, context);
    // In full it costs as much as the job is large.
    if (this.scene.samples < 1000 || this.seq % 50 === 0) assertInvariants(this.state);
    for (const fact of facts) {
      if (fact.event === 'lease_revoked' || fact.event === 'lease_superseded')
        this.pushRevoked(fact);
    }
    return reply;
  }

  /** It may get lost: then the next report or commit is refused. */
  pushRevoked({ nodeId: name, leaseId, reason }: LeaseRevoked): void {
    this.revoked.add(leaseId);
    const node = this.nodes.find((one) => one.name === name);
    if (node === undefined || this.happens('loss')) return;
    this.after(this.chance.fraction() * this.faults.delayMsMax, () => {
      node.tell({ type: 'lease_revoked', nowMs: monoMs(this.nowMs), leaseId, reason });
    });
  }

  restart(): void {
    this.epoch += 1;
    takeOver(this.state, monoMs(this.nowMs));
  }

  after(delayMs: number, run: () => void): void {
    // The next to come stands last; of those at the same time the one that was planned first.
    const atMs = this.nowMs + delayMs;
    let at = this.queue.length;
    while (at > 0 && (this.queue[at - 1]?.atMs ?? 0) <= atMs) at -= 1;
    this.queue.splice(at, 0, { atMs, run });
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
      const next = this.queue.pop();
      assert(next !== undefined, 'the world goes on');
      assert(next.atMs <= limitMs, `the job ended before ${limitMs} ms`);
      this.nowMs = next.atMs;
      next.run();
    }
  }
}

export class SimNode {
  readonly world: World;
  readonly name: string;
  readonly batchMsMax: number;
  readonly state: NodeState;
  outcome: NodeOutcome | null = null;
  wakeAtMs: number = Infinity;
  readonly workers: Map<number, SimWorker> = new Map<number, SimWorker>();
  readonly staged: Set<string> = new Set<string>();
  readonly reported: Map<string, number> = new Map<string, number>();

  constructor(world: World, name: string, seed: number, batchMsMax: number) {
    this.world = world;
    this.name = name;
    this.batchMsMax = batchMsMax;
    const { want, workers, stages } = world.scene;
    this.state = newNode(
      {
        holder: { want, progressIntervalMs: 100, finalizes: stages, nodeIdBusyMaxMs: null, seed },
        crew: {
          workers,
          stages,
          stallTimeoutMs: 460 + batchMsMax,
          onError: 'quarantine',
          jobFile: '/j.ts',
        },
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
      // Replaced by an earlier one since.
      if (this.wakeAtMs !== wake) return;
      this.wakeAtMs = Infinity;
      this.tell({ type: 'tick', nowMs: monoMs(this.world.nowMs) });
    });
  }

  /** What it works on is its own, at the coordinator too, or is finished there, or was just taken from it. */
  checkLeases(): void {
    const job = this.world.state.jobs.get(JOB);
    assert(job !== undefined);
    for (const held of this.state.holder.leases.values()) {
      if (!held.started || this.world.nowMs >= held.deadlineMs) continue;
      const { leaseId } = held.lease;
      const live = job.leases.get(leaseId);
      const known =
        live?.nodeId === this.name ||
        job.finished.has(leaseId) ||
        this.world.revoked.has(leaseId) ||
        held.releasing !== null ||
        // Given back; whether that was heard is asked again and again, and nobody works on it meanwhile.
        (held.releaseWanted && !this.isWorkedOn(leaseId));
      assert(known, `${this.name} works on lease ${leaseId}, which is not its own any more`);
    }
  }

  isWorkedOn(leaseId: string): boolean {
    return [...this.workers.values()].some(
      ({ alive, order, stopping }) => alive && order?.leaseId === leaseId && stopping !== 'drop',
    );
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
      // What was refused, as its lease ends sooner now, or got lost was never taken for progress.
      if (call.type === 'progress' && reply.type === 'accepted') {
        this.reported.set(call.leaseId, call.cursor);
      }
      if (lost()) {
        world.after(20, unreachable);
        return;
      }
      world.after(delayMs(), () => {
        const nowMs = monoMs(world.nowMs);
        if (reply.type === 'refused') {
          const { code, message } = reply;
          this.tell({ type: 'call_failed', nowMs, callId, code, message });
        } else this.tell({ type: 'answered', nowMs, callId, answer: holderAnswer(reply) });
      });
    });
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

export function play(scene: Scene): World {
  const world = new World(scene);
  world.runUntil(200_000, () => world.nodes.every((node) => node.outcome !== null));
  return world;
}

export function checkEnd(world: World): void {
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
