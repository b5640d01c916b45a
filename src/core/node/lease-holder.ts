/**
 * The part of a node that holds leases: it registers, holds `want` leases, renews them all at once, registers
 * again when the coordinator has lost sight of it, obeys revocations, commits staged pieces in
 * order, releases and leaves. It does no work itself: an agent works in worker processes
 * (`node-machine.ts`), a loader in its own consumer.
 *
 * How to drive it (`src/agent/` and `src/loader/` do):
 *
 *   const state = newHolder(options, clock.nowMs());
 *   handle(stepHolder(state, { type: 'start', nowMs: clock.nowMs() }));
 *
 * - For every `call` effect make that call of `CoordinatorClient` and send its result back as
 *   `answered` or `call_failed` with the same `callId`. Repeating is the machine's affair: the shell
 *   makes each call exactly once.
 * - After every step set one timer to `holderWakeMs(state)` and send `tick` when it fires.
 * - On `lease_started` read [lease.cursor, lease.range.end) and send `delivered` as the consumer
 *   takes batches. A job without outputs is done with a lease when `delivered` reached its end; the
 *   coordinator's word comes as `lease_finished`. A job that commits outputs sends `piece_staged`.
 * - On `lease_lost` stop at once. On `ended` stop everything.
 * - To go: `stop_requesting`, then `release` each lease not finished; the holder leaves and ends by
 *   itself when none is left. `leave` does it all at once.
 *
 * A lease's time is counted from before the request was sent, on this node's monotonic clock, and
 * ends early by a margin: after that the lease is lost here before it is lost anywhere else.
 */
import { assert } from '../base/assert.ts';
import type { MonoMs } from '../base/units.ts';
import { addMs, monoMs } from '../base/units.ts';
import { onAnswer } from './holder-answers.ts';
import { leave } from './holder-exit.ts';
import type { HolderCall, HolderEffect, HolderEvent } from './holder-protocol.ts';
import { onCallFailed } from './holder-refusals.ts';
import { deliverTo, hasNews, isQuiet, sendRenewals, sendReport } from './holder-renewals.ts';
import { HolderState, type HeldLease, type HolderOptions } from './holder-state.ts';

export function newHolder(options: HolderOptions, nowMs: MonoMs): HolderState {
  assert(Number.isSafeInteger(options.want) && options.want > 0, 'want is a positive number');
  assert(options.progressIntervalMs > 0, 'the progress interval is positive');
  return new HolderState(options, nowMs);
}

export function stepHolder(state: HolderState, event: HolderEvent): readonly HolderEffect[] {
  const effects: HolderEffect[] = [];
  if (state.mode.type === 'ended') return effects;
  // First, so that nothing that arrives late is taken for work of a live lease.
  expire(state, effects, event.nowMs);
  handle(state, effects, event);
  settle(state, effects, event.nowMs);
  sendDue(state, effects, event.nowMs);
  return effects;
}

/** When to send the next `tick`; null when nothing is due before an answer comes. */
export function holderWakeMs(state: HolderState): MonoMs | null {
  const { type } = state.mode;
  if (type === 'idle' || type === 'leaving' || type === 'ended') return null;
  let wake = Infinity;
  const consider = (time: number): void => {
    wake = Math.min(wake, time);
  };
  if (state.registerAtMs !== null) consider(state.registerAtMs);
  if (state.mode.type === 'failing' && !state.isInFlight('fail_job')) consider(state.mode.atMs);
  for (const held of state.leases.values()) {
    consider(held.deadlineMs);
    if (!state.member || held.releasing !== null) continue;
    if (isQuiet(held)) consider(held.renewAtMs);
    else if (hasNews(held) && held.report === null) consider(held.reportAtMs);
  }
  if (state.member) {
    if (!state.isInFlight('heartbeat')) consider(state.heartbeatAtMs);
    if (wantsMore(state)) consider(state.requestAtMs);
    const { mode } = state;
    if (mode.type === 'finalizing' && mode.step.type === 'asking') {
      if (!state.isInFlight('request_finalize')) consider(mode.step.atMs);
    }
  }
  return wake === Infinity ? null : monoMs(wake);
}

function expire(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  if (nowMs < state.firstDeadlineMs) return;
  let firstMs = Infinity;
  for (const held of state.leases.values()) {
    firstMs = Math.min(firstMs, held.deadlineMs);
    if (nowMs < held.deadlineMs) continue;
    const { leaseId } = held.lease;
    state.lose(effects, held, 'its time ran out before a renewal was answered');
    const fields = { lease_id: leaseId, cursor: held.staged };
    effects.push({ type: 'fact', level: 'warn', event: 'lease_deadline_passed', fields });
  }
  state.firstDeadlineMs = firstMs;
}

function handle(state: HolderState, effects: HolderEffect[], event: HolderEvent): void {
  switch (event.type) {
    case 'start':
      assert(state.mode.type === 'idle', 'a holder is started once');
      state.mode = { type: 'working' };
      state.registerAtMs = event.nowMs;
      return;
    case 'tick':
      return;
    case 'answered':
      onAnswer(state, effects, event);
      return;
    case 'call_failed':
      onCallFailed(state, effects, event);
      return;
    case 'lease_revoked': {
      const held = state.leases.get(event.leaseId);
      if (held !== undefined) state.lose(effects, held, event.reason);
      return;
    }
    case 'want':
      assert(Number.isSafeInteger(event.want) && event.want > 0, 'want is a positive number');
      state.want = event.want;
      return;
    case 'work_waits':
      hearOfWork(state, event.nowMs);
      return;
    case 'job_failed':
      leave(state, effects, event.nowMs, {
        type: 'failed',
        code: event.code,
        message: event.message,
      });
      return;
    case 'disconnected':
      if (state.member) sayReach(state, effects, 'coordinator_lost', event.message ?? null);
      state.member = false;
      state.registerAtMs ??= addMs(event.nowMs, state.jitter.backoffMs(state.registerAttempt));
      return;
    case 'connected':
      if (state.registration > 0 && !state.member)
        sayReach(state, effects, 'coordinator_found', null);
      if (!state.isInFlight('register')) state.registerAtMs = event.nowMs;
      state.member = false;
      return;
    default:
      handleConsumer(state, effects, event);
  }
}

function hearOfWork(state: HolderState, nowMs: MonoMs): void {
  // What is answered to was maybe asked before.
  state.hasHeardOfWork = state.isInFlight('request_leases') || state.isInFlight('register');
  state.vainAnswers = 0;
  if (state.requestAtMs > nowMs) state.requestAtMs = nowMs;
  const waitsForOthers = state.member && !state.jobReady && state.registerAtMs !== null;
  if (waitsForOthers) state.registerAtMs = nowMs;
}

/** A node without a coordinator goes on for a while as if nothing were: its log says what to look for. */
function sayReach(
  state: HolderState,
  effects: HolderEffect[],
  event: 'coordinator_lost' | 'coordinator_found',
  message: string | null,
): void {
  const level = event === 'coordinator_lost' ? 'warn' : 'info';
  const fields = { job_id: state.spec?.jobId ?? null, leases: state.leases.size };
  const withMessage = message === null ? fields : { ...fields, message };
  effects.push({ type: 'fact', level, event, fields: withMessage });
}

type ConsumerEvent = Extract<
  HolderEvent,
  {
    type:
      'delivered' | 'piece_staged' | 'release' | 'stop_requesting' | 'leave' | 'fail' | 'finalized';
  }
>;

function handleConsumer(state: HolderState, effects: HolderEffect[], event: ConsumerEvent): void {
  switch (event.type) {
    case 'delivered': {
      const held = state.leases.get(event.leaseId);
      if (held === undefined) return;
      assert(event.cursor <= held.lease.range.end, 'a delivered cursor is inside its lease');
      deliverTo(state, held, event.cursor, event.nowMs);
      held.deliveredSamples += event.samples;
      held.deliveredBytes += event.bytes;
      return;
    }
    case 'piece_staged': {
      const { piece } = event;
      const held = state.leases.get(piece.leaseId);
      if (held === undefined) return;
      assert(piece.start === held.staged, 'the pieces of a lease follow each other without gaps');
      assert(
        piece.end > piece.start && piece.end <= held.lease.range.end,
        'a piece is in its lease',
      );
      held.staged = piece.end;
      deliverTo(state, held, piece.end, event.nowMs);
      held.pieces.push(piece);
      return;
    }
    case 'release': {
      const held = state.leases.get(event.leaseId);
      if (held !== undefined) held.releaseWanted = true;
      return;
    }
    case 'stop_requesting':
      if (state.mode.type === 'working') state.mode = { type: 'winding', reason: 'drained' };
      return;
    case 'leave':
      leave(state, effects, event.nowMs, event.outcome);
      return;
    case 'fail':
      if (state.mode.type === 'leaving' || state.mode.type === 'failing') return;
      state.loseAll(effects, 'the job failed');
      state.mode = {
        type: 'failing',
        failure: { type: 'fail_job', code: event.code, message: event.message },
        attempt: 0,
        atMs: event.nowMs,
      };
      return;
    case 'finalized': {
      const { finalizeToken, outputManifestHash } = event;
      if (state.mode.type !== 'finalizing') return;
      const step = { type: 'completing', finalizeToken, outputManifestHash } as const;
      state.mode = { type: 'finalizing', step };
      return;
    }
    default:
      event satisfies never;
  }
}

/** What follows from the state alone: a node that winds down and holds nothing leaves. */
function settle(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  if (state.mode.type !== 'winding') return;
  for (const held of state.leases.values()) if (!held.started) held.releaseWanted = true;
  if (state.leases.size > 0 || state.isInFlight('request_leases')) return;
  leave(state, effects, nowMs, { type: 'drained', reason: state.mode.reason });
}

/** Every call whose time has come. At most one of a kind is under way for each lease. */
function sendDue(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  const { mode } = state;
  if (mode.type === 'leaving' || mode.type === 'ended' || mode.type === 'idle') return;
  if (state.registerAtMs !== null && nowMs >= state.registerAtMs) {
    state.registerAtMs = null;
    if (!state.isInFlight('register')) state.call(effects, registration(state), nowMs);
  }
  if (mode.type === 'failing' && nowMs >= mode.atMs && !state.isInFlight('fail_job')) {
    // A failure may be told without being a member.
    state.call(effects, { ...mode.failure, ...knownOf(state) }, nowMs);
  }
  if (!state.member || state.spec === null) return;
  if (nowMs >= state.heartbeatAtMs && !state.isInFlight('heartbeat')) {
    state.heartbeatAtMs = addMs(nowMs, state.spec.heartbeatIntervalMs);
    state.call(effects, { type: 'heartbeat' }, nowMs);
  }
  if (mode.type === 'finalizing') sendFinalize(state, effects, nowMs);
  // First, as one small message keeps all leases: what a coordinator has no room for is at the end of what it is sent.
  sendRenewals(state, effects, nowMs);
  for (const held of state.leases.values()) sendForLease(state, effects, held, nowMs);
  if (wantsMore(state) && nowMs >= state.requestAtMs) {
    const held = [...state.leases.keys()];
    state.call(effects, { type: 'request_leases', want: state.want, held }, nowMs);
  }
}

function registration(state: HolderState): HolderCall {
  const known = knownOf(state);
  return known === null ? { type: 'register' } : { type: 'register', known };
}

function knownOf({ jobToken }: HolderState): { readonly jobToken: string } | null {
  return jobToken === null ? null : { jobToken };
}

function wantsMore(state: HolderState): boolean {
  return (
    state.mode.type === 'working' &&
    state.member &&
    state.jobReady &&
    state.leases.size < state.want &&
    !state.isInFlight('request_leases')
  );
}

function sendFinalize(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  if (state.mode.type !== 'finalizing') return;
  const { step } = state.mode;
  if (step.type === 'asking') {
    if (nowMs < step.atMs || state.isInFlight('request_finalize')) return;
    state.call(effects, { type: 'request_finalize' }, nowMs);
  } else if (step.type === 'completing' && !state.isInFlight('complete_job')) {
    const { finalizeToken, outputManifestHash } = step;
    state.call(effects, { type: 'complete_job', finalizeToken, outputManifestHash }, nowMs);
  }
}

function sendForLease(
  state: HolderState,
  effects: HolderEffect[],
  held: HeldLease,
  nowMs: MonoMs,
): void {
  if (state.spec === null || held.releasing !== null) return;
  const piece = held.pieces[0];
  if (piece !== undefined && held.commit === null && held.started) {
    held.commit = state.call(effects, { type: 'commit', piece }, nowMs);
  }
  const { leaseId, range } = held.lease;
  // In a job without outputs the report is the commit: its end, and what a release keeps, go at once.
  const reportIsCommit = !state.spec.commitsOutputs && hasNews(held);
  const urgent = reportIsCommit && (held.delivered === range.end || held.releaseWanted);
  if (held.releaseWanted && held.pieces.length === 0 && held.report === null && !reportIsCommit) {
    held.releasing = state.call(effects, { type: 'release', leaseId }, nowMs);
  } else if (hasNews(held) && held.report === null && (urgent || nowMs >= held.reportAtMs)) {
    sendReport(state, effects, held, nowMs);
  }
}
