/**
 * One coordinator's part in the leadership, as a machine of events and effects.
 *
 *   standby ──campaign: elected──▶ claiming ──claimed──▶ leading
 *      ▲  ▲                           │                     │ renewal says no, deadline passed,
 *      │  └──── claim failed ─────────┘                     │ writer fenced or failed
 *      └───────────── stepped down, resigned ◀── leaving ◀──┘          any ──stop, fatal──▶ ended
 *
 * It decides liveness only: when to ask for the lead, when to give it up, until when to answer. What two
 * coordinators that both believe to lead may write is decided by the log, whose claim fences.
 *
 * A leader's time runs from *before* it sent the renewal that succeeded last, on its own clock, and ends
 * a margin early: past that deadline `mayAnswer` is false without any event (a process that was paused
 * wakes up in the middle of what it did). Source: the lease rule of Gray and Cheriton (1989), as in
 * `shared/design/reliability.md` §2.
 */
import type { ErrorCode } from '../base/errors.ts';
import { Jitter } from '../base/jitter.ts';
import { addMs, type MonoMs } from '../base/units.ts';
import { CANDIDATE_RETRY, DEADLINE_MARGIN_PART, RENEWALS_PER_TTL } from './limits.ts';

export interface CandidateOptions {
  readonly ttlMs: number;
  /** Seed of what spreads retries. */
  readonly seed: number;
}

export interface Leader {
  readonly who: string;
  /** Where it serves; as clients are to dial it. */
  readonly address: string;
}

export type CandidatePhase = 'standby' | 'claiming' | 'leading' | 'leaving' | 'ended';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

export type CandidateEvent = { readonly nowMs: MonoMs } & (
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  /** The store says that the leader went or changed. */
  | { readonly type: 'leader_changed' }
  /** `leader` is null when this candidate was elected. */
  | { readonly type: 'campaigned'; readonly callId: number; readonly leader: Leader | null }
  | { readonly type: 'renewed'; readonly callId: number; readonly leads: boolean }
  /** A campaign or a renewal that the store did not answer. */
  | ({ readonly type: 'election_failed'; readonly callId: number } & Failure)
  | { readonly type: 'claimed'; readonly epoch: number }
  | ({ readonly type: 'claim_failed' } & Failure)
  /** The writer stopped by itself: fenced, or a write failed. */
  | ({ readonly type: 'writer_failed' } & Failure)
  /** What the effect `leave` asked for is done. */
  | { readonly type: 'left' }
  | { readonly type: 'stop' }
);

export type CandidateEffect =
  /** Ask to lead, and renew the entry as a candidate. */
  | { readonly type: 'campaign'; readonly callId: number }
  | { readonly type: 'renew'; readonly callId: number }
  /** Read the log to its tail and claim it. */
  | { readonly type: 'claim' }
  /** Answer clients from here on. */
  | { readonly type: 'serve'; readonly epoch: number }
  /**
   * End the writer (what is queued is answered first when `isPlanned`), give up the lead, and follow the
   * log again as a standby unless `isLast`.
   */
  | ({
      readonly type: 'leave';
      readonly isPlanned: boolean;
      readonly isLast: boolean;
    } & Failure)
  /** The part of this candidate is over; null after a stop that was asked for. */
  | { readonly type: 'ended'; readonly failure: Failure | null };

export interface CandidateState {
  readonly options: CandidateOptions;
  readonly jitter: Jitter;
  phase: CandidatePhase;
  /** Who leads, as far as is known; null when nobody is known to. */
  leader: Leader | null;
  /** Past it this candidate answers nothing; only of use while it is claiming or leading. */
  deadlineMs: MonoMs;
  /** The election call in flight and when it was sent; null when none is waited for. */
  asked: { readonly callId: number; readonly atMs: MonoMs } | null;
  calls: number;
  /** When the next election call is due. */
  nextCallMs: MonoMs;
  /** Calls and claims that failed since the last that went well. */
  failures: number;
  /** What ends the candidate once it has left; null when it goes on as a standby. */
  ending: { readonly failure: Failure | null } | null;
  /** It leaves because it was asked to, and what it was asked before that is answered first. */
  isHandingOver: boolean;
  /** The leader changed while a call was in flight: its answer may be older than that. */
  mustAskAgain: boolean;
}

export function newCandidate(options: CandidateOptions, nowMs: MonoMs): CandidateState {
  return {
    options,
    jitter: new Jitter(options.seed, CANDIDATE_RETRY),
    phase: 'standby',
    leader: null,
    deadlineMs: nowMs,
    asked: null,
    calls: 0,
    nextCallMs: nowMs,
    failures: 0,
    ending: null,
    isHandingOver: false,
    mustAskAgain: false,
  };
}

/** True while this candidate leads and its time is not up. */
export function mayAnswer(state: CandidateState, nowMs: MonoMs): boolean {
  return state.phase === 'leading' && nowMs < state.deadlineMs;
}

/**
 * True while it may still write what a leader writes: it need not serve yet, and what was asked before a
 * planned leave is still answered.
 */
export function mayLead(state: CandidateState, nowMs: MonoMs): boolean {
  return (leads(state) || state.isHandingOver) && nowMs < state.deadlineMs;
}

/** When the next `tick` is due; null when none is. */
export function candidateWakeMs(state: CandidateState): MonoMs | null {
  switch (state.phase) {
    case 'standby':
      return state.asked === null ? state.nextCallMs : null;
    case 'claiming':
    case 'leading':
      if (state.asked !== null) return state.deadlineMs;
      return state.nextCallMs < state.deadlineMs ? state.nextCallMs : state.deadlineMs;
    case 'leaving':
    case 'ended':
      return null;
    default:
      return state.phase satisfies never;
  }
}

export function stepCandidate(state: CandidateState, event: CandidateEvent): CandidateEffect[] {
  if (state.phase === 'ended') return [];
  switch (event.type) {
    case 'start':
    case 'tick':
      return onTime(state, event.nowMs);
    case 'leader_changed':
      // A leader of whom the store says so asks at once whether it still leads.
      if (state.phase !== 'standby' && state.phase !== 'leading') return [];
      if (state.asked !== null) {
        state.mustAskAgain = true;
        return [];
      }
      return ask(state, event.nowMs);
    case 'campaigned':
      return onCampaigned(state, event);
    case 'renewed':
      return onRenewed(state, event);
    case 'election_failed':
      return onElectionFailed(state, event);
    case 'claimed':
      return onClaimed(state, event);
    case 'claim_failed':
    case 'writer_failed':
      return onFailure(state, event);
    case 'left':
      return onLeft(state, event.nowMs);
    case 'stop':
      return onStop(state);
    default:
      return event satisfies never;
  }
}

function onTime(state: CandidateState, nowMs: MonoMs): CandidateEffect[] {
  if (leads(state) && nowMs >= state.deadlineMs) {
    return leave(state, { code: 'not_leader', message: 'its time as the leader ran out' });
  }
  const isDue = state.asked === null && nowMs >= state.nextCallMs;
  return isDue && state.phase !== 'leaving' ? ask(state, nowMs) : [];
}

function ask(state: CandidateState, nowMs: MonoMs): CandidateEffect[] {
  state.calls += 1;
  state.asked = { callId: state.calls, atMs: nowMs };
  state.mustAskAgain = false;
  return [{ type: leads(state) ? 'renew' : 'campaign', callId: state.calls }];
}

function onCampaigned(
  state: CandidateState,
  { leader, callId, nowMs }: Extract<CandidateEvent, { type: 'campaigned' }>,
): CandidateEffect[] {
  const askedMs = answered(state, callId, nowMs);
  if (askedMs === null || state.phase !== 'standby') return [];
  state.leader = leader;
  if (leader !== null) {
    state.failures = 0;
    return state.mustAskAgain ? ask(state, nowMs) : [];
  }
  state.deadlineMs = deadlineFrom(state, askedMs);
  if (nowMs >= state.deadlineMs) {
    return leave(state, { code: 'not_leader', message: 'the election took longer than its term' });
  }
  state.phase = 'claiming';
  return [{ type: 'claim' }];
}

function onRenewed(
  state: CandidateState,
  { leads: isLeader, callId, nowMs }: Extract<CandidateEvent, { type: 'renewed' }>,
): CandidateEffect[] {
  const askedMs = answered(state, callId, nowMs);
  if (askedMs === null) return [];
  // Whoever took over meanwhile need not wait for what is still being answered here.
  if (state.isHandingOver && !isLeader) state.deadlineMs = nowMs;
  if (!leads(state)) return [];
  if (!isLeader) {
    return leave(state, { code: 'not_leader', message: 'another coordinator was elected' });
  }
  // A renewal that arrives past the deadline renews nothing: others may have been elected meanwhile.
  if (nowMs >= state.deadlineMs) return onTime(state, nowMs);
  state.deadlineMs = deadlineFrom(state, askedMs);
  // Only a lead that lasted shows that all is well: one that is lost as soon as it is taken waits longer
  // each time, so that others go first.
  if (state.phase === 'leading') state.failures = 0;
  return state.mustAskAgain ? ask(state, nowMs) : [];
}

function onElectionFailed(
  state: CandidateState,
  event: Extract<CandidateEvent, { type: 'election_failed' }>,
): CandidateEffect[] {
  if (state.asked?.callId !== event.callId) return [];
  state.asked = null;
  if (isFinal(event.code)) return end(state, event);
  if (leads(state)) {
    // It leads until its time is up; the next renewal may get through before that.
    state.nextCallMs = addMs(event.nowMs, renewIntervalMs(state) / RENEWALS_PER_TTL);
    return onTime(state, event.nowMs);
  }
  retryLater(state, event.nowMs);
  return [];
}

function onClaimed(
  state: CandidateState,
  { epoch, nowMs }: Extract<CandidateEvent, { type: 'claimed' }>,
): CandidateEffect[] {
  if (state.phase !== 'claiming') return [];
  state.phase = 'leading';
  if (nowMs >= state.deadlineMs) return onTime(state, nowMs);
  return [{ type: 'serve', epoch }];
}

function onFailure(
  state: CandidateState,
  { code, message, nowMs }: Extract<CandidateEvent, { type: 'claim_failed' | 'writer_failed' }>,
): CandidateEffect[] {
  if (!leads(state)) return isFinal(code) ? end(state, { code, message }) : [];
  if (isFinal(code)) return end(state, { code, message });
  retryLater(state, nowMs);
  return leave(state, { code, message });
}

function onLeft(state: CandidateState, nowMs: MonoMs): CandidateEffect[] {
  if (state.phase !== 'leaving') return [];
  state.isHandingOver = false;
  if (state.ending !== null) {
    state.phase = 'ended';
    return [{ type: 'ended', failure: state.ending.failure }];
  }
  state.phase = 'standby';
  state.asked = null;
  return nowMs >= state.nextCallMs ? ask(state, nowMs) : [];
}

function onStop(state: CandidateState): CandidateEffect[] {
  const isPlanned = state.phase === 'leading';
  if (state.phase === 'leaving') {
    state.ending ??= { failure: null };
    return [];
  }
  state.phase = 'leaving';
  state.ending = { failure: null };
  state.isHandingOver = isPlanned;
  const why = { code: 'not_leader', message: 'the coordinator was asked to stop' } as const;
  return [{ type: 'leave', isPlanned, isLast: true, ...why }];
}

function end(state: CandidateState, { code, message }: Failure): CandidateEffect[] {
  if (state.phase === 'leaving') {
    state.ending ??= { failure: { code, message } };
    return [];
  }
  state.phase = 'leaving';
  state.ending = { failure: { code, message } };
  return [{ type: 'leave', isPlanned: false, isLast: true, code, message }];
}

function leave(state: CandidateState, { code, message }: Failure): CandidateEffect[] {
  state.phase = 'leaving';
  state.leader = null;
  state.asked = null;
  return [{ type: 'leave', isPlanned: false, isLast: false, code, message }];
}

/** When the call that was answered had been sent; null for an answer that nobody waits for any more. */
function answered(state: CandidateState, callId: number, nowMs: MonoMs): MonoMs | null {
  const { asked } = state;
  if (asked?.callId !== callId) return null;
  state.asked = null;
  state.nextCallMs = addMs(nowMs, renewIntervalMs(state));
  return asked.atMs;
}

function retryLater(state: CandidateState, nowMs: MonoMs): void {
  state.nextCallMs = addMs(nowMs, state.jitter.backoffMs(state.failures));
  state.failures += 1;
}

function leads(state: CandidateState): boolean {
  return state.phase === 'claiming' || state.phase === 'leading';
}

function renewIntervalMs(state: CandidateState): number {
  return state.options.ttlMs / RENEWALS_PER_TTL;
}

function deadlineFrom(state: CandidateState, askedMs: MonoMs): MonoMs {
  return addMs(askedMs, state.options.ttlMs * (1 - DEADLINE_MARGIN_PART));
}

/** Failures that another attempt of this process cannot mend, or must not follow: it ends. */
function isFinal(code: ErrorCode): boolean {
  switch (code) {
    case 'not_leader':
    case 'coordinator_unavailable':
    case 'coordinator_state_in_use':
    case 'store_unavailable':
    case 'store_outcome_unknown':
      return false;
    default:
      return true;
  }
}
