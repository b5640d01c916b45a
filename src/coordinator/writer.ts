/**
 * The loop around the coordinator's state machine, and the only code that changes its state: commands
 * that arrived are stepped one after the other, their records are appended as one entry, and when that
 * is durable facts are published and replies are sent. What arrives meanwhile is the next batch.
 *
 * What rests on no new record is answered once the log says that nobody claimed it meanwhile: an elected
 * leader may have been deposed without knowing it (see `docs/decisions/0018`).
 *
 * When an append fails or is fenced, nothing that was decided on the pending state has been said to
 * anybody: the writer stops for good and reports `onFatal`; its process ends and another takes over.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import { encodeSnapshot } from '../core/job/codec.ts';
import {
  type CoordinatorState,
  emptyState,
  forgiveSilence,
  step,
  takeOver,
} from '../core/job/coordinator.ts';
import type { Command, Fact, Policy, Reply, StepContext } from '../core/job/protocol.ts';
import type { JobRecord } from '../core/job/records.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ClaimResult, LogStore } from '../ports/log-store.ts';
import type { Random } from '../ports/random.ts';
import {
  BATCH_COMMANDS_MAX,
  BATCH_RECORDS_MAX,
  CLAIM_ATTEMPTS_MAX,
  QUEUE_COMMANDS_MAX,
  SNAPSHOT_ENTRIES,
  SNAPSHOT_PAYLOAD_BYTES,
  STALL_MS,
} from './limits.ts';
import type { Meters } from './meters.ts';
import { CODEC, type LogCodec, Replica } from './replica.ts';
import { fatalError, fenced, timeIsUp, timeRanOutWriting, unsure } from './writer-errors.ts';

export interface WriterOptions {
  readonly log: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly tickIntervalMs: number;
  readonly onFatal: (error: Mx8Error) => void;
  /** What this process has read of the log already; the writer's own from `start` on. Default: nothing. */
  readonly replica?: Replica;
  /** How records are written to the log, and read by a replica. Default: as `core/job/codec.ts` does. */
  readonly codec?: LogCodec;
  /**
   * False once this process's time as the leader is up: from then on nothing is answered. Asked before
   * and after every write. Default: always true, for a coordinator that nobody stands by for.
   */
  readonly mayLead?: () => boolean;
  /** When a snapshot is due; see `limits.ts` for the defaults. */
  readonly snapshotEntries?: number;
  /** Default: relief in every way, as many requests as stores give, and no job goes by itself. */
  readonly policy?: Policy;
  /** Commands that may wait; see `limits.ts` for the default. */
  readonly queueCommandsMax?: number;
  readonly snapshotPayloadBytes?: number;
  /** Measures batches and appends. Default: nobody. */
  readonly meters?: Meters;
}

const POLICY: Policy = { relief: 'double' };

export type FactListener = (facts: readonly Fact[]) => void;

/** What a command, or a read between commands, comes to. */
interface Decision {
  readonly records: readonly JobRecord[];
  readonly facts: readonly Fact[];
  /** Says it to whoever asked, once the batch is durable. */
  readonly answer: () => void;
}

interface Waiting {
  /** Asked by this process itself, whom an answer from the state of a deposed leader cannot mislead. */
  readonly isOwn: boolean;
  decide(state: CoordinatorState, context: StepContext): Decision;
  reject(error: Mx8Error): void;
}

export interface WriterFigures {
  readonly epoch: number;
  /** The last entry of the log. */
  readonly seq: number;
  readonly entriesAppended: number;
  readonly entriesReplayed: number;
  readonly snapshotsTaken: number;
}

export class Writer {
  readonly #options: WriterOptions;
  #state: CoordinatorState = emptyState();
  #queue: Waiting[] = [];
  #isScheduled = false;
  #isWriting = false;
  #ended: Mx8Error | null = null;
  #epoch = 0;
  #seq = 0;
  #nonce = '';
  #entriesSinceSnapshot = 0;
  #bytesSinceSnapshot = 0;
  #snapshotBytes = 0;
  #figures = { entriesAppended: 0, entriesReplayed: 0, snapshotsTaken: 0 };
  #tickTimer: TimerHandle | null = null;
  #tickedMs: MonoMs;
  readonly #listeners: FactListener[] = [];
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#tickedMs = options.clock.nowMs();
  }

  /** Reads the log to its tail, claims it and serves. Throws when it is damaged or held by another. */
  async start(): Promise<void> {
    const { log, clock, random } = this.#options;
    const replica = this.#options.replica ?? new Replica(log, clock);
    this.#nonce = Buffer.from(random.bytes(12)).toString('base64url');
    const claim = await this.#claim(replica);
    this.#state = replica.state;
    this.#epoch = claim.epoch;
    this.#seq = claim.tailSeq;
    this.#snapshotBytes = replica.snapshotBytes;
    this.#entriesSinceSnapshot = replica.sinceSnapshot.entries;
    this.#bytesSinceSnapshot = replica.sinceSnapshot.bytes;
    this.#figures.entriesReplayed = replica.entriesReplayed;
    takeOver(this.#state, clock.nowMs());
    this.#tickedMs = clock.nowMs();
    this.#scheduleTick();
  }

  /**
   * An elected leader tries again as long as its time lasts: the one before it may still have appended
   * something between the reading and the claim.
   */
  async #claim(replica: Replica): Promise<Extract<ClaimResult, { type: 'won' }>> {
    const { log, mayLead } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      await replica.catchUp();
      // Its time may have run out while it read: to claim now would be to depose whoever leads.
      if (mayLead?.() === false) throw timeIsUp();
      const claim = await log.claim(replica.seq, replica.epoch + 1, this.#nonce);
      if (claim.type === 'won') return claim;
      if (mayLead !== undefined && !mayLead()) throw timeIsUp();
      if (mayLead !== undefined && attempt < CLAIM_ATTEMPTS_MAX) continue;
      throw new Mx8Error(
        'coordinator_state_in_use',
        `another coordinator (${claim.holder}) took the same state at this moment; stop one of the two`,
      );
    }
  }

  get figures(): WriterFigures {
    return { ...this.#figures, epoch: this.#epoch, seq: this.#seq };
  }

  /** For reads of what no reply carries. Only between steps, never kept. */
  get state(): CoordinatorState {
    return this.#state;
  }

  onFacts(listener: FactListener): void {
    this.#listeners.push(listener);
  }

  /** The reply to a command, once everything that it was decided on is durable; `isOwn` as above. */
  submit(command: Command, isOwn: boolean = command.type === 'tick'): Promise<Reply> {
    return this.#enqueue<Reply>((state, context, resolve) => {
      const { records, facts, reply } = step(state, command, context);
      return { records, facts, answer: () => resolve(reply) };
    }, isOwn);
  }

  /** What `body` sees of the state between two commands, once what it sees is durable. */
  read<T>(body: (state: CoordinatorState, nowMs: MonoMs) => T): Promise<T> {
    return this.#enqueue<T>((state, context, resolve) => {
      const value = body(state, context.nowMs);
      return { records: [], facts: [], answer: () => resolve(value) };
    });
  }

  /**
   * Resolves if this writer's epoch is the last that was claimed, at a moment after the call; throws
   * `not_leader`, and ends the writer, if it is not.
   */
  async confirm(): Promise<void> {
    if (this.#ended !== null) throw this.#ended;
    const result = await this.#options.log.confirm(this.#epoch);
    if (result.type === 'ok') return;
    const error = fenced(result.epoch);
    this.#fail(error, []);
    throw error;
  }

  #enqueue<T>(
    decide: (
      state: CoordinatorState,
      context: StepContext,
      resolve: (value: T) => void,
    ) => Decision,
    isOwn = false,
  ): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const { queueCommandsMax = QUEUE_COMMANDS_MAX } = this.#options;
    if (this.#queue.length >= queueCommandsMax) {
      const message = `the coordinator has ${queueCommandsMax} requests waiting; repeat this one later`;
      return Promise.reject(new Mx8Error('coordinator_unavailable', message));
    }
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        isOwn,
        decide: (state, context) => decide(state, context, resolve),
        reject,
      };
      this.#queue.push(waiting);
      this.#schedule();
    });
  }

  /** The next batch starts after this turn's input, so that all of it shares one sync. */
  #schedule(): void {
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => void this.#turn());
  }

  /** Answers what is queued, then stops. */
  async stop(): Promise<void> {
    this.#tickTimer?.clear();
    if (this.#isScheduled || this.#isWriting) {
      await (this.#idle ??= Promise.withResolvers<void>()).promise;
    }
    this.#end(new Mx8Error('coordinator_unavailable', 'the coordinator has stopped'));
  }

  /** Answers nothing more: what waits is told `error`, what is being written is asked for again. */
  abandon(error: Mx8Error): void {
    this.#tickTimer?.clear();
    this.#end(error);
  }

  /** One batch; between two of them the process reads its sockets and timers. */
  async #turn(): Promise<void> {
    this.#isScheduled = false;
    this.#isWriting = true;
    const batch: Waiting[] = [];
    try {
      await this.#writeBatch(batch);
    } catch (cause) {
      this.#fail(cause, batch);
    }
    this.#isWriting = false;
    if (this.#queue.length > 0 && this.#ended === null) {
      this.#schedule();
      return;
    }
    this.#idle?.resolve();
    this.#idle = null;
  }

  /** Moves what it takes from the queue to `batch`, decides it, makes it durable, answers it. */
  async #writeBatch(batch: Waiting[]): Promise<void> {
    const records: JobRecord[] = [];
    const facts: Fact[] = [];
    const answers: (() => void)[] = [];
    const { clock, mayLead, policy = POLICY } = this.#options;
    if (mayLead?.() === false) throw timeIsUp();
    const seq = this.#seq + 1;
    for (const waiting of this.#queue) {
      if (batch.length >= BATCH_COMMANDS_MAX || records.length >= BATCH_RECORDS_MAX) break;
      batch.push(waiting);
      const context = {
        nowMs: clock.nowMs(),
        nowUnixMs: clock.unixMs(),
        epoch: this.#epoch,
        seq,
        nextIndex: records.length,
        ...policy,
      };
      const decision = waiting.decide(this.#state, context);
      for (const record of decision.records) records.push(record);
      for (const fact of decision.facts) facts.push(fact);
      answers.push(decision.answer);
    }
    this.#queue = this.#queue.slice(batch.length);
    this.#options.meters?.batchCommands.observe(batch.length);
    if (records.length > 0) await this.#append(seq, records);
    else if (!(await this.#mayAnswer(batch))) return;
    // Append, then look, then answer: whoever leads by now may have decided otherwise what was only read.
    if (mayLead?.() === false) throw timeRanOutWriting();
    if (facts.length > 0) for (const listener of this.#listeners) listener(facts);
    for (const answer of answers) answer();
    await this.#snapshotIfDue();
  }

  /**
   * Whether what was decided without a record may be said. While the log cannot be asked it may not, and
   * whoever asked is told to ask again: nothing was written, so the writer itself goes on.
   */
  async #mayAnswer(batch: readonly Waiting[]): Promise<boolean> {
    const { mayLead, log } = this.#options;
    // Nobody can take the log from a coordinator that stands for no election.
    if (mayLead === undefined || batch.every(({ isOwn }) => isOwn)) return true;
    try {
      const result = await log.confirm(this.#epoch);
      if (result.type === 'fenced') throw fenced(result.epoch);
      return true;
    } catch (cause) {
      if (!(cause instanceof Mx8Error) || cause.code !== 'store_unavailable') throw cause;
      const error = unsure(cause);
      for (const waiting of batch) waiting.reject(error);
      return false;
    }
  }

  async #append(seq: number, records: readonly JobRecord[]): Promise<void> {
    const { clock, meters, codec = CODEC } = this.#options;
    const payload = codec.encodeRecords(records);
    const nonce = `${this.#nonce}/${seq}`;
    const startMs = clock.nowMs();
    const result = await this.#options.log.append(seq, this.#epoch, payload, nonce);
    meters?.appendSeconds.observe(elapsedMs(startMs, clock.nowMs()) / 1000);
    meters?.entryRecords.observe(records.length);
    if (result.type === 'fenced') throw fenced(result.epoch);
    this.#seq = seq;
    this.#entriesSinceSnapshot += 1;
    this.#bytesSinceSnapshot += payload.length;
    this.#figures.entriesAppended += 1;
  }

  async #snapshotIfDue(): Promise<void> {
    const { log, events } = this.#options;
    const { snapshotEntries = SNAPSHOT_ENTRIES, snapshotPayloadBytes = SNAPSHOT_PAYLOAD_BYTES } =
      this.#options;
    const isDue =
      this.#entriesSinceSnapshot >= snapshotEntries ||
      this.#bytesSinceSnapshot >= Math.max(snapshotPayloadBytes, this.#snapshotBytes);
    if (!isDue) return;
    const state = encodeSnapshot(this.#state);
    for (const write of [
      () => log.snapshot(this.#seq, this.#epoch, state),
      () => log.trim(this.#seq, this.#epoch),
    ]) {
      const result = await write();
      if (result.type === 'fenced') throw fenced(result.epoch);
    }
    this.#entriesSinceSnapshot = 0;
    this.#bytesSinceSnapshot = 0;
    this.#snapshotBytes = state.length;
    this.#figures.snapshotsTaken += 1;
    events.emit('debug', 'snapshot_taken', { seq: this.#seq, snapshot_bytes: state.length });
  }

  #scheduleTick(): void {
    const { clock, tickIntervalMs } = this.#options;
    this.#tickTimer = clock.setTimer(tickIntervalMs, () => {
      if (this.#ended !== null) return;
      this.#tick();
      this.#scheduleTick();
    });
  }

  #tick(): void {
    const { clock, events, tickIntervalMs } = this.#options;
    const nowMs = clock.nowMs();
    const lateMs = elapsedMs(this.#tickedMs, nowMs) - tickIntervalMs;
    this.#tickedMs = nowMs;
    if (lateMs > STALL_MS) {
      forgiveSilence(this.#state, nowMs);
      events.emit('warn', 'coordinator_stalled', { late_ms: Math.round(lateMs) });
    }
    // The writer ended or is overloaded; the first was reported, the second passes by the next tick.
    this.submit({ type: 'tick' }).catch(() => undefined);
  }

  #fail(cause: unknown, batch: readonly Waiting[]): void {
    this.#tickTimer?.clear();
    const error = fatalError(cause);
    // Whether a write that failed is on the disk nobody knows: callers are told to ask again, never
    // that it did not happen. A fenced write is known not to be there.
    const answer =
      error.code === 'not_leader' || error.code === 'store_outcome_unknown'
        ? error
        : new Mx8Error('coordinator_unavailable', 'the coordinator ended; ask again', {}, error);
    for (const waiting of batch) waiting.reject(answer);
    this.#end(answer);
    this.#options.onFatal(error);
  }

  #end(error: Mx8Error): void {
    this.#ended ??= error;
    for (const waiting of this.#queue.splice(0)) waiting.reject(this.#ended);
  }
}
