/**
 * The shell around the candidate's machine: it follows the log as a standby, asks the election, claims
 * the log when elected, and runs the writer for as long as it leads. Every decision is the machine's.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { CoordinatorState } from '../core/job/coordinator.ts';
import {
  type CandidateEffect,
  type CandidateEvent,
  type CandidateState,
  candidateWakeMs,
  mayAnswer,
  mayLead,
  newCandidate,
  stepCandidate,
} from '../core/lead/candidate.ts';
import type { TimerHandle } from '../ports/clock.ts';
import type { CandidateInfo, Election } from '../ports/election.ts';
import { Follower } from './follower.ts';
import { FOLLOW_INTERVAL_MS } from './limits.ts';
import type { Leadership, LeadershipView, OnEnded, Prepare } from './leadership.ts';
import { Replica } from './replica.ts';
import { type FactListener, Writer, type WriterOptions } from './writer.ts';

export interface CandidacyOptions extends Omit<WriterOptions, 'onFatal' | 'replica' | 'mayLead'> {
  readonly election: Election;
  readonly who: string;
  /** Where clients reach this process; asked for when it is needed. */
  readonly address: () => string;
  readonly prepare: Prepare;
  /** Throws when this process's jobs do not go with those of the log. Default: all do. */
  readonly check?: (state: CoordinatorState) => void;
  readonly onFacts: FactListener;
  /** Another leads, and this process stands by and has read the log: said each time that it is heard. */
  readonly onLed?: () => void;
  /** The leader may have gone: what matters now is to take over. */
  readonly onLeaderChanged?: () => void;
  /** This process leads no more: whoever speaks to it should go elsewhere. */
  readonly onLeft: () => void;
  readonly onEnded: OnEnded;
  /** How often a standby reads the log unasked; see `limits.ts` for the default. */
  readonly followIntervalMs?: number;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'nowMs'> : never;
type Leave = Extract<CandidateEffect, { readonly type: 'leave' }>;

export class Candidacy implements Leadership {
  readonly #options: CandidacyOptions;
  readonly #machine: CandidateState;
  readonly #ended: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #replica: Replica;
  #follower: Follower;
  /** Claiming or leading; null as a standby. */
  #writer: Writer | null = null;
  /** Claims begun; one that is overtaken ends quietly. */
  #claims = 0;
  #isServing = false;
  #taking: PromiseWithResolvers<void> | null = null;
  #sinceUnixMs: number | null = null;
  #storeFailure = '';
  /** The election call in flight, so that a resignation comes after it. */
  #call: Promise<void> = Promise.resolve();
  #timer: TimerHandle | null = null;
  #unwatch: () => void = () => undefined;

  constructor(options: CandidacyOptions) {
    this.#options = options;
    const { clock, election, random } = options;
    const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
    const seed = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    this.#machine = newCandidate({ ttlMs: election.ttlMs, seed }, clock.nowMs());
    this.#replica = this.#newReplica();
    this.#follower = this.#newFollower();
  }

  get view(): LeadershipView {
    const { who, address } = this.#options;
    const figures = this.#writer?.figures ?? null;
    const leads = this.writer !== null;
    const appliedSeq = figures?.seq ?? this.#replica.seq;
    return {
      role: leads ? 'leader' : 'standby',
      who,
      leader: leads ? { who, address: address() } : this.#machine.leader,
      epoch: this.epoch,
      appliedSeq,
      tailSeq: figures?.seq ?? this.#replica.tailSeq,
      leadsSinceUnixMs: leads ? this.#sinceUnixMs : null,
    };
  }

  /** The highest that was claimed, as far as this process knows. */
  get epoch(): number {
    return this.#writer?.figures.epoch ?? this.#replica.epoch;
  }

  get writer(): Writer | null {
    return this.#isServing && mayAnswer(this.#machine, this.#options.clock.nowMs())
      ? this.#writer
      : null;
  }

  get taking(): Promise<void> | null {
    return this.#taking?.promise ?? null;
  }

  get storeFailure(): string {
    return this.#storeFailure;
  }

  get state(): CoordinatorState {
    return this.#writer?.state ?? this.#replica.state;
  }

  candidates(): Promise<readonly CandidateInfo[]> {
    return this.#options.election.candidates();
  }

  /**
   * Reads the log and enters the election; resolves before it is known who leads. A store that is away for
   * a while is waited for, as a standby waits for it later on.
   */
  async start(): Promise<void> {
    const { election } = this.#options;
    await this.#untilStoreAnswers(async () => {
      await this.#replica.catchUp();
      this.#options.check?.(this.#replica.state);
      await this.#checkAddress();
    });
    // It was asked to stop meanwhile.
    if (this.#machine.phase !== 'standby') return;
    this.#follower.start();
    this.#unwatch = election.watch(() => {
      this.#options.onLeaderChanged?.();
      this.#tell({ type: 'leader_changed' });
    });
    this.#tell({ type: 'start' });
  }

  async stop(): Promise<void> {
    this.#tell({ type: 'stop' });
    await this.#ended.promise;
  }

  async #untilStoreAnswers(ask: () => Promise<void>): Promise<void> {
    const { clock, events } = this.#options;
    for (let isAway = false; this.#machine.phase === 'standby'; isAway = true) {
      try {
        await ask();
        if (isAway) events.emit('info', 'log_back', { seq: this.#replica.seq });
        this.#storeFailure = '';
        return;
      } catch (error) {
        if (!(error instanceof Mx8Error) || !error.retryable) throw error;
        const { code, message } = error;
        this.#storeFailure = message;
        if (!isAway) events.emit('warn', 'log_away', { code, message });
        await clock.sleep(FOLLOW_INTERVAL_MS);
      }
    }
  }

  /** Two candidates that clients could not tell apart are a mistake of the set-up. */
  async #checkAddress(): Promise<void> {
    const { election, clock, address, who } = this.#options;
    const deadlineMs = clock.nowMs() + election.ttlMs * 2;
    for (;;) {
      const all = await election.candidates();
      const twin = all.find((one) => one.address === address() && one.who !== who);
      if (twin === undefined) return;
      // One that was killed a moment ago is still in the list for its TTL.
      if (clock.nowMs() >= deadlineMs) {
        throw new Mx8Error(
          'candidate_duplicate',
          `another coordinator (${twin.who}) on this state says that clients reach it at ${twin.address}, as this one does; give each an address of its own with --bind or --advertise`,
          { address: twin.address },
        );
      }
      await clock.sleep(election.ttlMs / 4);
    }
  }

  #tell(event: WithoutTime<CandidateEvent>): void {
    const nowMs = this.#options.clock.nowMs();
    for (const effect of stepCandidate(this.#machine, { ...event, nowMs })) this.#carryOut(effect);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.clear();
    this.#timer = null;
    const { clock } = this.#options;
    const wakeMs = candidateWakeMs(this.#machine);
    if (wakeMs === null) return;
    const waitMs = Math.max(0, Math.ceil(elapsedMs(clock.nowMs(), wakeMs)));
    this.#timer = clock.setTimer(waitMs, () => this.#tell({ type: 'tick' }));
  }

  #carryOut(effect: CandidateEffect): void {
    switch (effect.type) {
      case 'campaign':
      case 'renew':
        this.#call = this.#ask(effect);
        return;
      case 'claim':
        this.#taking ??= Promise.withResolvers<void>();
        void this.#claim();
        return;
      case 'serve':
        this.#serve(effect.epoch);
        return;
      case 'leave':
        void this.#leave(effect);
        return;
      case 'ended':
        this.#end(effect.failure);
        return;
      default:
        effect satisfies never;
    }
  }

  get #me(): CandidateInfo {
    const { who, address } = this.#options;
    return { who, address: address(), appliedSeq: this.view.appliedSeq };
  }

  async #ask({ type, callId }: Extract<CandidateEffect, { callId: number }>): Promise<void> {
    const { election, events } = this.#options;
    try {
      if (type === 'renew') {
        const leads = await election.renew(this.#me);
        this.#storeFailure = '';
        this.#tell({ type: 'renewed', callId, leads });
        return;
      }
      const before = this.#machine.leader?.who;
      const answer = await election.campaign(this.#me);
      this.#storeFailure = '';
      const leader = answer.type === 'led' ? answer.leader : null;
      if (leader !== null && leader.who !== before) {
        events.emit('info', 'leader_known', { leader: leader.who, address: leader.address });
      }
      // Who has just left the lead knows of no job until the log is read.
      if (leader !== null && this.#replica.isLoaded) this.#options.onLed?.();
      this.#tell({ type: 'campaigned', callId, leader });
    } catch (cause) {
      const { code, message } = asMx8Error(cause);
      this.#storeFailure = message;
      events.emit('warn', 'election_failed', { code, message });
      this.#tell({ type: 'election_failed', callId, code, message });
    }
  }

  async #claim(): Promise<void> {
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    let writer: Writer | null = null;
    this.#claims += 1;
    const own = this.#claims;
    try {
      await this.#follower.stop();
      // Its time may have run out meanwhile: to claim now would be to depose whoever leads.
      if (this.#claims !== own || this.#machine.phase !== 'claiming') return;
      writer = this.#newWriter();
      this.#writer = writer;
      await writer.start();
      await this.#options.prepare(writer);
    } catch (cause) {
      // A machine that has left meanwhile has no use for the news, and ignores it.
      if (this.#writer === writer) this.#failed('claim_failed', cause);
      return;
    }
    if (this.#writer !== writer) return;
    const { epoch, entriesReplayed } = writer.figures;
    this.#options.events.emit('info', 'leader_claimed', {
      epoch,
      entries_replayed: entriesReplayed,
      claim_ms: Math.round(elapsedMs(startMs, clock.nowMs())),
    });
    this.#tell({ type: 'claimed', epoch });
  }

  #newWriter(): Writer {
    const { clock, onFacts } = this.#options;
    const writer = new Writer({
      ...this.#options,
      replica: this.#replica,
      mayLead: () => this.#writer === writer && mayLead(this.#machine, clock.nowMs()),
      onFatal: (error) => {
        if (this.#writer === writer) this.#failed('writer_failed', error);
      },
    });
    writer.onFacts(onFacts);
    return writer;
  }

  #serve(epoch: number): void {
    const { clock, events, who } = this.#options;
    this.#isServing = true;
    this.#tookOrGaveUp();
    this.#sinceUnixMs = clock.unixMs();
    events.emit('info', 'leader_serving', { who, epoch });
  }

  async #leave({ isPlanned, isLast, code, message }: Leave): Promise<void> {
    const { election, events, onLeft } = this.#options;
    const writer = this.#writer;
    const didServe = this.#isServing;
    this.#isServing = false;
    this.#tookOrGaveUp();
    if (writer !== null) {
      const level = isPlanned ? 'info' : 'warn';
      events.emit(level, 'leader_left', { code, message, epoch: writer.figures.epoch });
      if (isPlanned) await writer.stop();
      this.#writer = null;
      writer.abandon(new Mx8Error('not_leader', `not leader for mutating operation: ${message}`));
    }
    // After a planned stop sessions end when it is known where their nodes are to go.
    if (didServe && !isPlanned) onLeft();
    await this.#follower.stop();
    await this.#call;
    try {
      await election.resign();
    } catch (cause) {
      // Its entry ends by itself within the TTL.
      events.emit('warn', 'resign_failed', { message: asMx8Error(cause).message });
    }
    if (!isLast) {
      this.#replica = this.#newReplica();
      this.#follower = this.#newFollower();
      this.#follower.start();
    }
    this.#tell({ type: 'left' });
  }

  #tookOrGaveUp(): void {
    this.#taking?.resolve();
    this.#taking = null;
  }

  #newReplica(): Replica {
    const { log, clock, codec } = this.#options;
    return new Replica(log, clock, codec);
  }

  #newFollower(): Follower {
    const { log, clock, events, followIntervalMs: intervalMs = FOLLOW_INTERVAL_MS } = this.#options;
    const onFailure = (error: Mx8Error): void => this.#failed('writer_failed', error);
    return new Follower({ log, clock, events, replica: this.#replica, intervalMs, onFailure });
  }

  #failed(type: 'claim_failed' | 'writer_failed', cause: unknown): void {
    const { code, message } = asMx8Error(cause);
    this.#tell({ type, code, message });
  }

  #end(failure: { readonly code: Mx8Error['code']; readonly message: string } | null): void {
    this.#timer?.clear();
    this.#unwatch();
    this.#ended.resolve();
    this.#options.onEnded(failure === null ? null : new Mx8Error(failure.code, failure.message));
  }
}

function asMx8Error(cause: unknown): Mx8Error {
  if (cause instanceof Mx8Error) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Mx8Error('internal', `the coordinator cannot go on: ${why}`, {}, cause);
}
