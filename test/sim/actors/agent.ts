/**
 * One node's machine: the real lease holder on a fresh process, with a worker that takes its time,
 * delivers or stages what the holder was granted, and finalizes. Started again when it ends too early.
 */
import {
  type JobId,
  manifestHash,
  type ManifestHash,
  type NodeId,
  nodeId,
} from '../../../src/core/base/units.ts';
import { IDLE_STATS } from '../../../src/core/job/job-state.ts';
import type { Command, JobSpec, Lease, NodeCaps } from '../../../src/core/job/protocol.ts';
import type {
  HolderCall,
  HolderEffect,
  HolderEvent,
  NodeOutcome,
} from '../../../src/core/node/holder-protocol.ts';
import type { HolderState } from '../../../src/core/node/holder-state.ts';
import { holderWakeMs, newHolder, stepHolder } from '../../../src/core/node/lease-holder.ts';
import type { Push } from '../../../src/ports/coordinator-client.ts';
import { NODES_JOB } from '../scene.ts';
import type { Simulation } from '../simulation.ts';
import type { Planned } from '../world/event-queue.ts';
import { Process } from '../world/process.ts';
import { Client } from './client.ts';
import type { AnswerBody } from './messages.ts';
import { holderAnswer } from '../../support/holder-answer.ts';

export const NODE_CAPS: NodeCaps = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};
/** Once everything is healed: how long work takes, and how much is done in one go. */
const HURRIED_WORK_MS = 6;
const HURRIED = { workAtOnce: Infinity, partly: 0 };
export const OUTPUT_HASH: ManifestHash = manifestHash('0a'.repeat(32));

type WithoutTime<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

interface Work {
  readonly lease: Lease;
  end: number;
  at: number;
}

export class Agent {
  readonly simulation: Simulation;
  readonly place: number;
  /** The job as it was created; it may take its id from the nodes. */
  readonly spec: JobSpec;
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  process: Process;
  client: Client;
  holder: HolderState;
  instanceId: string;
  outcome: NodeOutcome | null = null;
  /** Its machine is gone and does not come back. */
  isLost = false;
  readonly #work: Map<string, Work> = new Map<string, Work>();
  /** Leases that it was told are not its own any more. */
  readonly #gone: Set<string> = new Set<string>();
  #wakeMs = Infinity;
  #plannedWork: Planned | null = null;

  constructor(simulation: Simulation, place: number, name: string, spec: JobSpec) {
    this.simulation = simulation;
    this.place = place;
    this.spec = spec;
    this.jobId = spec.adoptsFirstJobId ? NODES_JOB : spec.jobId;
    this.nodeId = nodeId(name);
    const { process, client, holder, instanceId } = this.#make();
    this.process = process;
    this.client = client;
    this.holder = holder;
    this.instanceId = instanceId;
  }

  /** Where its job was made again meanwhile, somebody else may have started it. */
  start(): void {
    if (this.holder.mode.type === 'idle') this.tell({ type: 'start' });
  }

  restart(): void {
    this.process.die();
    this.#work.clear();
    this.#gone.clear();
    this.#wakeMs = Infinity;
    this.#plannedWork = null;
    this.outcome = null;
    const { process, client, holder, instanceId } = this.#make();
    this.process = process;
    this.client = client;
    this.holder = holder;
    this.instanceId = instanceId;
    this.start();
  }

  /** False where it had nothing to lose. */
  kill(): boolean {
    // One that waits for its job to be created.
    if (!this.process.isAlive || this.holder.mode.type === 'idle') return false;
    this.simulation.world.say(() => `${this.process.name} is killed`);
    this.process.die();
    this.simulation.breakSessionOf(this);
    const { world } = this.simulation;
    world.after(world.chance.between(20, 400), null, () => {
      if (!this.process.isAlive && this.simulation.mayStart(this)) this.restart();
    });
    return true;
  }

  lose(): void {
    this.simulation.world.say(() => `${this.process.name} is lost`);
    this.isLost = true;
    this.process.die();
    this.simulation.breakSessionOf(this);
  }

  /** There is nothing left for it to do, whether it lives to see it or not. */
  get isDone(): boolean {
    // One that lives finds out by itself.
    const hasEnded = this.outcome !== null || !this.process.isAlive;
    if (hasEnded && this.simulation.isGone(this)) return true;
    return this.outcome?.type === 'completed' && !this.simulation.isOfFormerJob(this);
  }

  tell(...events: readonly WithoutTime<HolderEvent>[]): void {
    for (const event of events) this.#step(event);
    this.client.flush();
    this.#plan();
  }

  #step(event: WithoutTime<HolderEvent>): void {
    // Whoever made the event has no more use for it.
    const timed = Object.assign(event, { nowMs: this.process.nowMs() });
    const effects = stepHolder(this.holder, timed);
    for (const effect of effects) this.#carryOut(effect);
  }

  #plan(): void {
    this.#planWake();
    this.#planWork();
  }

  #planWake(): void {
    const wakeMs = holderWakeMs(this.holder);
    if (wakeMs === null || wakeMs >= this.#wakeMs) return;
    this.#wakeMs = wakeMs;
    const { process } = this;
    process.setTimer(Math.max(0, wakeMs - process.nowMs()), () => {
      // A later wake replaced by an earlier one fires for nothing.
      if (this.#wakeMs > process.nowMs()) return;
      this.#wakeMs = Infinity;
      this.tell({ type: 'tick' });
    });
  }

  #carryOut(effect: HolderEffect): void {
    switch (effect.type) {
      case 'call':
        this.#call(effect.callId, effect.call);
        return;
      case 'lease_started':
        this.#begin(effect.lease);
        return;
      case 'lease_shortened': {
        const work = this.#work.get(effect.leaseId);
        if (work !== undefined) work.end = effect.end;
        return;
      }
      case 'lease_lost':
      case 'lease_finished':
      case 'lease_released':
        this.#work.delete(effect.leaseId);
        return;
      case 'piece_committed':
        this.simulation.outputs.publish(this.jobId, this.#jobToken, effect.piece);
        return;
      case 'finalize_granted':
        this.#finalize(effect.finalizeToken);
        return;
      case 'ended':
        this.#end(effect.outcome);
        return;
      case 'fact':
        if (effect.event === 'lease_deadline_passed') this.simulation.progress.onRunOut(this);
        return;
      default:
    }
  }

  #begin(lease: Lease): void {
    this.#gone.delete(lease.leaseId);
    this.#work.set(lease.leaseId, { lease, end: lease.range.end, at: lease.cursor });
  }

  #call(callId: number, call: HolderCall): void {
    this.client.ask(this.#asCommand(call), (body) => {
      if (body.type === 'refused') {
        const { code, message } = body;
        this.#step({ type: 'call_failed', callId, code, message });
      } else {
        if (body.type === 'registered') this.simulation.checkSameJob(this, body);
        if (body.type === 'renewed') this.#noteGone(call, body.ends);
        this.#step({ type: 'answered', callId, answer: holderAnswer(body) });
      }
    });
  }

  /** What it is told of leases that it still holds as it did when it asked. */
  #noteGone(call: HolderCall, ends: readonly (number | null)[]): void {
    if (call.type !== 'renew') return;
    for (const [index, leaseId] of call.leaseIds.entries()) {
      const isItsOwn = this.holder.leases.get(leaseId)?.renewal === call;
      if (ends[index] === null && isItsOwn) this.#gone.add(leaseId);
    }
  }

  #asCommand(call: HolderCall): Command {
    const from = { jobId: this.jobId, nodeId: this.nodeId, instanceId: this.instanceId };
    switch (call.type) {
      case 'register':
        return {
          ...from,
          type: 'register',
          caps: NODE_CAPS,
          resumeFrom: this.simulation.resumeFrom(this),
          ...call.known,
        };
      case 'heartbeat': {
        const sentAtUnixMs = this.process.unixMs();
        return { ...from, type: 'heartbeat', stats: IDLE_STATS, sentAtUnixMs };
      }
      case 'request_leases':
        return { ...from, type: 'request_lease', want: call.want, held: call.held };
      case 'commit': {
        const { leaseId, start, end, rows, bytes, quarantined } = call.piece;
        return { ...from, type: 'commit', leaseId, start, end, rows, bytes, quarantined };
      }
      case 'progress': {
        const { leaseId, cursor, deliveredSamples, deliveredBytes } = call;
        return { ...from, type: 'progress', leaseId, cursor, deliveredSamples, deliveredBytes };
      }
      default:
        return { ...call, ...from };
    }
  }

  #onPush(push: Push): void {
    switch (push.type) {
      case 'lease_revoked':
        return this.tell({ type: 'lease_revoked', leaseId: push.leaseId, reason: push.reason });
      case 'job_failed':
        return this.tell({ type: 'job_failed', code: push.code, message: push.message });
      case 'drain':
        return this.tell({ type: 'stop_requesting' });
      case 'tuned': {
        const { want } = push.tuning;
        if (want !== null) this.tell({ type: 'want', want });
        return;
      }
      case 'work_waits':
        return this.tell({ type: 'work_waits' });
      case 'connected':
        return this.tell({ type: 'connected' });
      case 'disconnected':
        return this.tell({ type: 'disconnected' });
      default:
        push satisfies never;
    }
  }

  get isSlow(): boolean {
    const { agents, world } = this.simulation;
    // Of other jobs nobody may take its work away, and it would go on for ever.
    return this === agents[0] && this.spec.commitsOutputs && world.scene.slowness > 1;
  }

  /** Everything is healed: what is left of the work is no more than what must come to an end. */
  hurry(): void {
    if (this.#plannedWork === null) return;
    this.#plannedWork.isCancelled = true;
    this.#plannedWork = null;
    this.#planWork();
  }

  #planWork(): void {
    if (this.#plannedWork !== null || !this.#hasWork) return;
    const { chance, scene, isFaulty } = this.simulation.world;
    const workMs = isFaulty ? scene.workMs * (this.isSlow ? scene.slowness : 1) : HURRIED_WORK_MS;
    this.#plannedWork = this.process.later(chance.between(workMs >> 1, workMs), () => {
      this.#plannedWork = null;
      this.#doWork();
    });
  }

  /** Something that it holds is not delivered yet. */
  get #hasWork(): boolean {
    for (const { at, end } of this.#work.values()) if (at < end) return true;
    return false;
  }

  /** Delivers a part of what is held, some leases at once. */
  #doWork(): void {
    const { world } = this.simulation;
    const { isFaulty } = world;
    const { workAtOnce, partly } = isFaulty ? world.scene : HURRIED;
    // The tick first, so that a lease whose time has run out takes nothing more that was done on it.
    this.tell({ type: 'tick' });
    const events: WithoutTime<HolderEvent>[] = [];
    let left = workAtOnce;
    for (const work of this.#work.values()) {
      const { end } = work;
      if (work.at >= end) continue;
      if (left === 0) break;
      left -= 1;
      const rest = end - work.at;
      const most = this.isSlow && isFaulty ? Math.min(rest, 4) : rest;
      const count =
        rest > 1 && world.chance.happens(partly) ? world.chance.between(1, most - 1 || 1) : most;
      events.push(this.#deliver(work, count));
      work.at += count;
    }
    this.tell(...events);
  }

  #deliver({ lease, at }: Work, count: number): WithoutTime<HolderEvent> {
    const { simulation } = this;
    const { leaseId } = lease;
    const end = at + count;
    simulation.checkDelivery(this, leaseId, at, end);
    if (this.#gone.has(leaseId)) {
      const what = `${this.process.name} delivers of lease ${leaseId} and was told that it is gone`;
      simulation.world.fail('a node keeps to its lease', what);
    }
    if (this.holder.spec?.commitsOutputs !== true) {
      return { type: 'delivered', leaseId, cursor: end, samples: count, bytes: count };
    }
    const { chance, scene } = simulation.world;
    const quarantined = chance.happens(scene.quarantines) ? [at + chance.below(count)] : [];
    const rows = count - quarantined.length;
    const piece = { leaseId, start: at, end, rows, bytes: rows, quarantined };
    simulation.outputs.stage(this.#jobToken, this.nodeId, piece);
    return { type: 'piece_staged', piece };
  }

  /** Where its outputs are: each job has a place of its own. */
  get #jobToken(): string {
    return this.holder.jobToken ?? '';
  }

  #finalize(finalizeToken: string): void {
    const { outputs } = this.simulation;
    if (outputs.isFinished(this.#jobToken)) {
      const done = { finalizeToken, outputManifestHash: OUTPUT_HASH };
      this.process.later(0, () => this.tell({ type: 'finalized', ...done }));
      return;
    }
    this.client.ask({ type: 'pieces', jobId: this.jobId }, (body: AnswerBody) => {
      if (body.type !== 'pieces') {
        this.process.later(100, () => {
          this.#finalize(finalizeToken);
          this.client.flush();
        });
        return;
      }
      outputs.finalize(this.jobId, this.#jobToken, body.pieces);
      this.tell({ type: 'finalized', finalizeToken, outputManifestHash: OUTPUT_HASH });
    });
  }

  #end(outcome: NodeOutcome): void {
    const { simulation, process } = this;
    const { world } = simulation;
    this.outcome = outcome;
    this.#work.clear();
    world.say(() => `${process.name} ends: ${JSON.stringify(outcome)}`);
    simulation.checkOutcome(this, outcome);
    if (outcome.type === 'completed' && !simulation.isOfFormerJob(this)) return;
    world.after(world.chance.between(100, 400), null, () => {
      if (this.process === process && simulation.mayStart(this)) this.restart();
    });
  }

  #make(): { process: Process; client: Client; holder: HolderState; instanceId: string } {
    const { simulation, place } = this;
    const { world } = simulation;
    simulation.starts += 1;
    const instanceId = `${this.nodeId}#${simulation.starts}`;
    const process = new Process(world, instanceId, place, simulation.clockRate(), true);
    const client = new Client(world, simulation.network, simulation.coordinators, process, {
      onPush: (push) => {
        if (this.process === process) this.#onPush(push);
      },
      onAnswered: () => {
        if (this.process === process) this.#plan();
      },
    });
    const options = {
      want: world.scene.want,
      progressIntervalMs: 900,
      finalizes: true,
      nodeIdBusyMaxMs: null,
      seed: world.chance.draw(),
    };
    return { process, client, holder: newHolder(options, process.nowMs()), instanceId };
  }
}
