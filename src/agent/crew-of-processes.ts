/**
 * The worker processes of an agent, by slot: starts, kills and dismisses them, passes orders on, and
 * turns what they say into events of the machine.
 */
import type { CrewEffect } from '../core/node/crew-protocol.ts';
import type { NodeEvent } from '../core/node/node-machine.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { StoreReport } from '../core/transfer/store-report.ts';
import { rssBreachMessage } from '../core/memory/rss-cap.ts';
import { processRssBytes } from '../platform/process-tree.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import { asFailure } from './calls.ts';
import { EXIT_TIMEOUT_MS, WORKER_RSS_INTERVAL_MS } from './limits.ts';
import type { AgentMeters } from './meters.ts';
import type { FromWorker, ToWorker, WorkerSettings, WorkerStats } from './worker-messages.ts';
import type { StoreDesk } from './store-desk.ts';
import { WorkerProcess } from './worker-process.ts';

export interface ProcessCrewOptions {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly settings: (slot: number) => WorkerSettings;
  readonly heapMiB: number | null;
  readonly writeLine: (line: string) => void;
  readonly tell: (event: WithoutTime<NodeEvent>) => void;
  readonly records: (start: number, end: number) => Promise<readonly SampleRecord[]>;
  /** Resolves when work may begin; the kind of the job's sink and its own input are known by then. */
  readonly mayBegin: (sinkKind: string, input: string | null) => Promise<void>;
  /** The part of its cap that the worker nearest to it has; said at every look. */
  readonly onMemory: (part: number) => void;
  readonly meters: AgentMeters;
  readonly stores: StoreDesk;
}

/** The event without the time, which whoever passes it on adds. */
export type WithoutTime<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

type WorkerEffect = Extract<CrewEffect, { type: 'spawn' | 'kill' | 'start_work' | 'stop_work' }>;

interface Member {
  readonly incarnation: number;
  readonly process: WorkerProcess;
  stats: WorkerStats | null;
  hasShares: boolean;
}

export class ProcessCrew {
  readonly #options: ProcessCrewOptions;
  readonly #members: Map<number, Member> = new Map<number, Member>();
  /** Orders and stops go through here one after the other, behind the claim of the output folder. */
  #gate: Promise<void> = Promise.resolve();
  #sinkKind: string | null = null;
  #input: string | null = null;
  #rssHighWaterBytes = 0;
  #dismissed = false;
  #rssTimer: TimerHandle | null = null;

  constructor(options: ProcessCrewOptions) {
    this.#options = options;
  }

  carryOut(effect: WorkerEffect): void {
    switch (effect.type) {
      case 'spawn':
        this.#spawn(effect.slot, effect.incarnation);
        return;
      case 'kill':
        this.#members.get(effect.slot)?.process.kill();
        return;
      case 'start_work':
        this.#passOn(effect.slot, { type: 'start_work', order: effect.order });
        return;
      case 'stop_work': {
        const { workId, flush } = effect;
        this.#passOn(effect.slot, { type: 'stop_work', workId, flush });
        return;
      }
      default:
        effect satisfies never;
    }
  }

  /** Tells every worker the caps that hold for what it opens next; those that start later ask for them. */
  tune(): void {
    for (const [slot, { process }] of this.#members) {
      process.send({ type: 'tune', ...this.#options.settings(slot).caps });
    }
  }

  get pids(): readonly number[] {
    return [...this.#members.values()].flatMap(({ process }) => process.pid ?? []);
  }

  get stats(): WorkerStats {
    let sum: WorkerStats = {
      inflightBytes: 0,
      rssHighWaterBytes: this.#rssHighWaterBytes,
      fetchQueueDepth: 0,
      decodeQueueDepth: 0,
      packQueueDepth: 0,
    };
    for (const { stats } of this.#members.values()) {
      if (stats === null) continue;
      sum = {
        ...sum,
        inflightBytes: sum.inflightBytes + stats.inflightBytes,
        fetchQueueDepth: sum.fetchQueueDepth + stats.fetchQueueDepth,
        decodeQueueDepth: sum.decodeQueueDepth + stats.decodeQueueDepth,
        packQueueDepth: sum.packQueueDepth + stats.packQueueDepth,
      };
    }
    return sum;
  }

  /** Of all workers together, as the cap of a node is the sum of theirs: what each reached at its most. */
  get #workersRssBytes(): number {
    let bytes = 0;
    for (const { stats } of this.#members.values()) bytes += stats?.rssHighWaterBytes ?? 0;
    return bytes;
  }

  /** Ends every worker process; those that do not go by themselves are killed. */
  async dismiss(atOnce: boolean): Promise<void> {
    this.#dismissed = true;
    this.#rssTimer?.clear();
    const members = [...this.#members.values()];
    for (const { process } of members) {
      if (atOnce) process.kill();
      else process.send({ type: 'exit' });
    }
    const timer = this.#options.clock.setTimer(EXIT_TIMEOUT_MS, () => {
      for (const { process } of members) process.kill();
    });
    await Promise.all(members.map(({ process }) => process.exited));
    timer.clear();
  }

  #spawn(slot: number, incarnation: number): void {
    if (this.#dismissed) return;
    const { clock, heapMiB, writeLine, events, tell, settings } = this.#options;
    const process = new WorkerProcess({
      clock,
      slot,
      heapMiB,
      writeLine,
      onMessage: (message) => this.#onMessage(slot, incarnation, message),
      onNoise: () => events.emit('warn', 'worker_message_malformed', { slot }),
      onExit: (end) => {
        if (this.#members.get(slot)?.incarnation === incarnation) this.#members.delete(slot);
        this.#options.stores.gone(`${slot}.${incarnation}`);
        // It would run into the same limit again and again.
        if (end.code === 'rss_cap_exceeded') {
          tell({ type: 'worker_failed', slot, incarnation, workId: null, end });
        }
        tell({ type: 'worker_exited', slot, incarnation, end });
      },
    });
    this.#members.set(slot, { incarnation, process, stats: null, hasShares: false });
    this.#options.meters.workersStarted += 1;
    events.emit('debug', 'worker_started', { slot, worker_pid: process.pid ?? null });
    process.send({ type: 'configure', settings: settings(slot) });
    this.#watchMemory();
  }

  /**
   * A worker looks after its own memory, but cannot while user code blocks its event loop: the agent
   * looks too, from outside, and kills what is above its cap.
   */
  #watchMemory(): void {
    if (this.#rssTimer !== null) return;
    const { clock, settings } = this.#options;
    const look = (): void => {
      let most = 0;
      for (const [slot, { process }] of this.#members) {
        const { maxProcessRssBytes: capBytes, caps: knobs } = settings(slot);
        const rssBytes = process.pid === undefined ? null : processRssBytes(process.pid);
        if (capBytes === null || rssBytes === null) continue;
        most = Math.max(most, rssBytes / capBytes);
        if (rssBytes <= capBytes) continue;
        const message = rssBreachMessage(rssBytes, capBytes, { ...knobs, want: null });
        process.kill({ code: 'rss_cap_exceeded', message });
      }
      this.#options.onMemory(most);
      this.#rssTimer = this.#dismissed ? null : clock.setTimer(WORKER_RSS_INTERVAL_MS, look);
    };
    this.#rssTimer = clock.setTimer(WORKER_RSS_INTERVAL_MS, look);
  }

  #passOn(slot: number, message: ToWorker): void {
    const member = this.#members.get(slot);
    if (member === undefined) return;
    const { mayBegin } = this.#options;
    const [sinkKind, input] = [this.#sinkKind, this.#input];
    this.#gate = this.#gate
      .then(() => (sinkKind === null ? undefined : mayBegin(sinkKind, input)))
      .then(
        () => member.process.send(message),
        // Told by whoever gave the claim; nothing is begun.
        () => undefined,
      );
  }

  #onMessage(slot: number, incarnation: number, message: FromWorker): void {
    const { tell, events } = this.#options;
    const member = this.#members.get(slot);
    if (member?.incarnation !== incarnation) return;
    this.#options.meters.onWorker(message);
    switch (message.type) {
      case 'ready':
        this.#sinkKind = message.sinkKind;
        this.#input = message.input;
        tell({ type: 'worker_ready', slot, incarnation });
        return;
      case 'failed': {
        const { workId, code, message: text } = message;
        const end = { code, message: text };
        tell({ type: 'worker_failed', slot, incarnation, workId, end });
        return;
      }
      case 'need_records':
        this.#answer(member, message).catch((error: unknown) => {
          events.emit('error', 'worker_answer_failed', asFailure(error));
        });
        return;
      case 'stats':
        member.stats = message.stats;
        this.#rssHighWaterBytes = Math.max(this.#rssHighWaterBytes, this.#workersRssBytes);
        this.#share(member, `${slot}.${incarnation}`, message.stores);
        return;
      case 'log':
        events.emit(message.level, message.event, { ...message.fields, slot });
        return;
      default:
        tell(message);
    }
  }

  /** One that has no share of anything, and had none, need not be told so. */
  #share(member: Member, worker: string, stores: readonly StoreReport[]): void {
    const shares = this.#options.stores.heard(worker, stores);
    if (shares.length === 0 && !member.hasShares) return;
    member.hasShares = shares.length > 0;
    member.process.send({ type: 'store_shares', shares });
  }

  async #answer(
    member: Member,
    need: Extract<FromWorker, { type: 'need_records' }>,
  ): Promise<void> {
    const { requestId, start, end } = need;
    try {
      const records = await this.#options.records(start, end);
      member.process.send({ type: 'records', requestId, records });
    } catch (error) {
      member.process.send({ type: 'records_failed', requestId, ...asFailure(error) });
    }
  }
}
