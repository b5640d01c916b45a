/**
 * Agents that read from one store, and may write to it, modelled: the store serves so many requests at a time and refuses the
 * rest with 503; every agent has the limit of its own, the retries and, where a coordinator divides a budget,
 * the share that the real ones have. Events and their times are simulated, decisions are the real code's.
 */
import assert from 'node:assert/strict';

import { addMs, jobId, manifestHash, monoMs, nodeId } from '../../src/core/base/units.ts';
import type { JobId, NodeId } from '../../src/core/base/units.ts';
import { emptyState, step } from '../../src/core/job/coordinator.ts';
import type { CoordinatorState } from '../../src/core/job/coordinator.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import type { Command, Reply } from '../../src/core/job/protocol.ts';
import { HostLimit } from '../../src/core/transfer/host-limit.ts';
import { HostTraffic } from '../../src/core/transfer/host-traffic.ts';
import { RETRY_LIMITS, RetryBudget } from '../../src/core/transfer/retry-budget.ts';
import type { StoreShare } from '../../src/core/transfer/store-report.ts';
import { TurnOrder } from '../../src/core/transfer/turn-order.ts';
import type { RequestKind } from '../../src/core/transfer/turn-order.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { EventQueue } from './event-queue.ts';

const HOST = 'https://store.example';
const REFUSAL_MS = 2;
const TRANSIT_MS = 5;

export interface StoreModelOptions {
  readonly seed: number;
  readonly agents: number;
  /** Requests that each agent would have in flight. */
  readonly wants: (agent: number, nowMs: number) => number;
  /** Requests that the store serves at a time. */
  readonly serves: (nowMs: number) => number;
  readonly isShared: boolean;
  /** Of one coordinator; agents are of one after the other. 1. */
  readonly jobs?: number;
  readonly storeRequestsMax?: number;
  readonly serviceMs?: number;
  /** Writes that each agent would have in flight besides, which take the store four times as long. 0. */
  readonly writes?: number;
  /** Whether they go by the agent's turns, as ranges do; else each is sent when the agent likes. true. */
  readonly countsWrites?: boolean;
  readonly retryAfterMs?: number;
  /** Commands beside the jobs, which come after the agents; `wants` is asked for them too. 0. */
  readonly guests?: number;
  /** Whether they ask the coordinator for a part of the budget; else each goes by what it finds out. true. */
  readonly guestsShare?: boolean;
}

export interface Tally {
  /** Ranges and writes; those of `byAgent` are ranges. */
  served: number;
  refused: number;
  /** Integral of what was being served. */
  servedMs: number;
  mostInFlight: number;
  readonly byAgent: number[];
}

class Agent {
  readonly index: number;
  readonly nodeId: NodeId;
  /** Null: of a guest. */
  readonly jobId: JobId | null;
  readonly limit: HostLimit = new HostLimit();
  readonly traffic: HostTraffic = new HostTraffic();
  readonly order: TurnOrder = new TurnOrder();
  readonly queues: Record<RequestKind, RetryBudget[]> = { range: [], other: [] };
  /** Requests that it has begun and not finished, those that wait for another try included. */
  readonly begun: Record<RequestKind, number> = { range: 0, other: 0 };
  isDead: boolean = false;
  /** When it looks next whether it may go on. */
  wakesMs: number = 0;

  constructor(index: number, jobs: number | null) {
    this.index = index;
    this.jobId = jobs === null ? null : jobOf(index % jobs);
    this.nodeId = nodeId(`agent-${String(index).padStart(3, '0')}`);
  }
}

export class StoreModel {
  readonly #options: StoreModelOptions;
  readonly #random: () => number;
  readonly #events: EventQueue = new EventQueue();
  readonly agents: readonly Agent[];
  #nowMs: number = 0;
  #state: CoordinatorState = emptyState();
  #serving: number = 0;
  #seenMs: number = 0;
  #tally: Tally;

  constructor(options: StoreModelOptions) {
    this.#options = options;
    const random = seededRandom(options.seed);
    this.#random = () => random.fraction();
    const { agents, guests = 0, jobs = 1 } = options;
    this.agents = Array.from(
      { length: agents + guests },
      (_, index) => new Agent(index, index < agents ? jobs : null),
    );
    this.#tally = this.#emptyTally();
    for (let job = 0; job < jobs; job += 1) this.#createJob(jobOf(job));
    for (const agent of this.agents) this.#join(agent);
    this.#every(1000, () => void this.#perform({ type: 'tick' }));
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** What the agents hold of the budget, and the budget. */
  get shares(): { readonly sum: number; readonly each: readonly (number | null)[] } {
    const each = this.agents.map(({ traffic, isDead }) =>
      isDead ? null : traffic.share.requestsAt(this.#nowMs),
    );
    return { sum: each.reduce<number>((sum, share) => sum + (share ?? 0), 0), each };
  }

  get held(): number | null {
    return this.#state.stores.get(HOST)?.held ?? null;
  }

  get budget(): number | null {
    return this.#state.stores.get(HOST)?.budget ?? null;
  }

  /** What happened in the next so many milliseconds. */
  run(forMs: number): Tally {
    this.#tally = this.#emptyTally();
    const untilMs = this.#nowMs + forMs;
    for (
      let next = this.#events.before(untilMs);
      next !== null;
      next = this.#events.before(untilMs)
    ) {
      this.#nowMs = next.atMs;
      next.act();
    }
    this.#nowMs = untilMs;
    this.#pass();
    return this.#tally;
  }

  kill(index: number): void {
    const agent = this.agents[index];
    assert.ok(agent);
    agent.isDead = true;
    agent.queues.range.length = 0;
    agent.queues.other.length = 0;
  }

  /** Another coordinator takes over, which knows nothing of stores. */
  failOver(): void {
    this.#state.stores.clear();
    for (const job of this.#state.jobs.values()) job.stores.clear();
  }

  #createJob(id: JobId): void {
    const { agents } = this.#options;
    this.#perform({
      type: 'create_job',
      spec: {
        jobId: id,
        manifestHash: manifestHash('0'.repeat(64)),
        ...{ sampleCount: 1000, blockSize: 10, worldSize: agents, minWorldSize: 1 },
        ...{ shuffle: false, seed: 0n, epoch: 0, leaseTtlMs: 10_000, heartbeatIntervalMs: 1000 },
        ...{ commitsOutputs: false, adoptsFirstJobId: false },
      },
    });
  }

  #join(agent: Agent): void {
    if (agent.jobId !== null) this.#register(agent.jobId, agent.nodeId);
    this.#at(this.#random() * 1000, () => {
      this.#beat(agent);
      this.#read(agent);
      // Readers that the agent wants later on.
      this.#every(100, () => this.#read(agent));
    });
  }

  #register(id: JobId, node: NodeId): void {
    const caps = {
      maxFetchConcurrency: 1,
      maxDecodeConcurrency: 1,
      maxInflightBytes: 1,
      maxRamBytes: 1,
    };
    const from = { jobId: id, nodeId: node, instanceId: node };
    this.#perform({ type: 'register', ...from, caps, resumeFrom: new Uint8Array(0) });
  }

  #report(agent: Agent): Command {
    const { isShared, guestsShare = true } = this.#options;
    const { jobId: id, nodeId: node } = agent;
    const reports = [agent.traffic.report(HOST, this.#nowMs)];
    if (id === null) {
      return { type: 'share_stores', guestId: node, stores: guestsShare ? reports : [] };
    }
    const from = { jobId: id, nodeId: node, instanceId: node };
    const stores = isShared ? { stores: reports } : {};
    return { type: 'heartbeat', ...from, stats: IDLE_STATS, sentAtUnixMs: 0, ...stores };
  }

  #beat(agent: Agent): void {
    if (agent.isDead) return;
    const askedMs = this.#nowMs;
    const report = this.#report(agent);
    this.#at(TRANSIT_MS, () => {
      const reply = this.#perform(report);
      this.#at(TRANSIT_MS, () => {
        agent.traffic.share.hear(shareIn(reply), askedMs, this.#nowMs);
        this.#pump(agent);
      });
    });
    this.#at(1000, () => this.#beat(agent));
  }

  #read(agent: Agent): void {
    if (agent.isDead) return;
    const { wants, writes = 0 } = this.#options;
    const wanted = { range: wants(agent.index, this.#nowMs), other: writes };
    for (const kind of ['range', 'other'] as const) {
      while (agent.begun[kind] < wanted[kind]) {
        agent.begun[kind] += 1;
        this.#queue(agent, kind, new RetryBudget(RETRY_LIMITS, this.#nowMs));
      }
    }
    this.#pump(agent);
  }

  #queue(agent: Agent, kind: RequestKind, tries: RetryBudget): void {
    if (!this.#goesByTurns(kind)) {
      this.#send(agent, kind, tries);
      return;
    }
    agent.queues[kind].push(tries);
    agent.traffic.waits(1);
  }

  #goesByTurns(kind: RequestKind): boolean {
    return kind === 'range' || this.#options.countsWrites !== false;
  }

  #pump(agent: Agent): void {
    if (agent.isDead) return;
    const { limit, traffic, queues, order } = agent;
    while (traffic.inFlight < limit.limit && traffic.mayStart(this.#nowMs)) {
      const [first, second] = (['range', 'other'] as const).filter((one) => queues[one].length > 0);
      if (first === undefined) return;
      const kind = second === undefined ? first : order.next;
      const tries = queues[kind].shift();
      assert.ok(tries);
      traffic.waits(-1);
      traffic.started(this.#nowMs);
      order.started(kind, second !== undefined);
      this.#send(agent, kind, tries);
    }
    const againMs = traffic.nextChangeMs(this.#nowMs);
    const isWaiting = queues.range.length + queues.other.length > 0;
    if (isWaiting && againMs !== null && againMs !== agent.wakesMs) {
      agent.wakesMs = againMs;
      this.#at(againMs - this.#nowMs, () => this.#pump(agent));
    }
  }

  #send(agent: Agent, kind: RequestKind, tries: RetryBudget): void {
    const sentMs = this.#nowMs;
    const { serves, serviceMs = 50 } = this.#options;
    this.#pass();
    if (this.#serving >= serves(this.#nowMs)) {
      this.#at(REFUSAL_MS, () => this.#refused(agent, kind, tries, sentMs));
      return;
    }
    this.#serving += 1;
    this.#tally.mostInFlight = Math.max(this.#tally.mostInFlight, this.#serving);
    const usualMs = kind === 'range' ? serviceMs : 4 * serviceMs;
    this.#at(usualMs * (0.8 + 0.4 * this.#random()), () => {
      this.#pass();
      this.#serving -= 1;
      this.#tally.served += 1;
      const ranges = this.#tally.byAgent[agent.index] ?? 0;
      this.#tally.byAgent[agent.index] = ranges + Number(kind === 'range');
      const tookMs = this.#nowMs - sentMs;
      if (this.#goesByTurns(kind)) {
        agent.limit.answered(kind === 'range' ? tookMs : 0, agent.traffic.inFlight);
        agent.traffic.answered(kind === 'range' ? tookMs : null);
        agent.traffic.ended(this.#nowMs);
        agent.order.ended(kind);
      }
      agent.begun[kind] -= 1;
      this.#read(agent);
    });
  }

  #refused(agent: Agent, kind: RequestKind, tries: RetryBudget, sentMs: number): void {
    const { retryAfterMs = 0 } = this.#options;
    const tookMs = this.#nowMs - sentMs;
    const goesByTurns = this.#goesByTurns(kind);
    this.#tally.refused += 1;
    if (goesByTurns) {
      agent.limit.answered(tookMs, agent.traffic.inFlight);
      agent.limit.refused(agent.traffic.inFlight);
      agent.traffic.refused(this.#nowMs, tookMs, retryAfterMs);
      agent.traffic.ended(this.#nowMs);
      agent.order.ended(kind);
    }
    const waitMs = tries.waitMs(this.#nowMs, this.#random(), retryAfterMs);
    assert.ok(waitMs !== null, 'nobody is refused for so long');
    if (goesByTurns) agent.traffic.waits(1);
    this.#at(waitMs, () => {
      if (goesByTurns) agent.traffic.waits(-1);
      if (agent.isDead) return;
      this.#queue(agent, kind, tries);
      this.#pump(agent);
    });
    this.#pump(agent);
  }

  #perform(command: Command): Reply {
    const nowMs = addMs(monoMs(0), this.#nowMs);
    const position = { epoch: 1, seq: 1, nextIndex: 0 };
    const { storeRequestsMax = null } = this.#options;
    const context = { nowMs, nowUnixMs: 0, ...position, relief: 'off' as const, storeRequestsMax };
    const { reply } = step(this.#state, command, context);
    if (reply.type === 'refused') assert.fail(reply.message);
    return reply;
  }

  #pass(): void {
    this.#tally.servedMs += this.#serving * (this.#nowMs - this.#seenMs);
    this.#seenMs = this.#nowMs;
  }

  #every(periodMs: number, act: () => void): void {
    this.#at(periodMs, () => {
      act();
      this.#every(periodMs, act);
    });
  }

  #at(inMs: number, act: () => void): void {
    this.#events.add(this.#nowMs + inMs, act);
  }

  #emptyTally(): Tally {
    const byAgent = this.agents.map(() => 0);
    return { served: 0, refused: 0, servedMs: 0, mostInFlight: 0, byAgent };
  }
}

function jobOf(index: number): JobId {
  return jobId(`modelled-${index}`);
}

function shareIn(reply: Reply): StoreShare | null {
  if (reply.type !== 'ok') return null;
  return reply.storeShares?.find(({ host }) => host === HOST) ?? null;
}
