/** What the lease holder makes of refusals, and of calls that found no coordinator. */
import { errorKind, type ErrorCode } from '../base/errors.ts';
import type { LeaseId, MonoMs } from '../base/units.ts';
import { addMs, elapsedMs } from '../base/units.ts';
import { end, endLeaving, leave } from './holder-exit.ts';
import type { FactFields, HolderCall, HolderEffect, HolderEvent } from './holder-protocol.ts';
import type { CallInFlight, HolderState } from './holder-state.ts';
import {
  BARRIER_POLL_MS,
  FAIL_TRIES_MAX,
  NODE_ID_BUSY_DEFAULT_MS,
  NODE_ID_BUSY_SLACK_MS,
  REQUEST_WAIT_MIN_MS,
} from './limits.ts';

type CallFailed = Extract<HolderEvent, { type: 'call_failed' }>;

export function onCallFailed(state: HolderState, effects: HolderEffect[], event: CallFailed): void {
  const flight = state.inFlight.get(event.callId);
  if (flight === undefined) return;
  state.inFlight.delete(event.callId);
  const { call } = flight;
  const { code, message, nowMs } = event;
  tell(effects, 'debug', 'call_failed', { call: call.type, code, message });
  if (call.type === 'leave') {
    endLeaving(state, effects);
    return;
  }
  clearMarks(state, call);
  if (call.type === 'register') onRegisterFailed(state, effects, event);
  else if (code === 'node_not_registered' || isFaultOfTheWay(code)) {
    loseSight(state, effects, call, flight, code, nowMs);
  } else onRefused(state, effects, call, event);
}

/**
 * Says nothing about the request: the coordinator was not reached, does not lead, or lost the lead or its
 * store while it decided. The next one is asked the same.
 */
function isFaultOfTheWay(code: ErrorCode): boolean {
  switch (code) {
    case 'coordinator_unavailable':
    case 'not_leader':
    case 'store_outcome_unknown':
    case 'store_unavailable':
      return true;
    default:
      return false;
  }
}

/** The call is over: it may be made again. */
function clearMarks(state: HolderState, call: HolderCall): void {
  if (call.type === 'request_leases') state.requestUnanswered = true;
  for (const held of state.leases.values()) {
    if (held.commit === call) held.commit = null;
    if (held.report === call) held.report = null;
    if (held.renewal === call) held.renewal = null;
    if (held.releasing === call) held.releasing = null;
  }
}

/** The coordinator does not know this node, or cannot be reached: register until it answers. */
function loseSight(
  state: HolderState,
  effects: HolderEffect[],
  call: HolderCall,
  flight: CallInFlight,
  code: ErrorCode,
  nowMs: MonoMs,
): void {
  if (call.type === 'fail_job') retryFailure(state, effects, nowMs);
  if (flight.registration < state.registration || !state.member) return;
  state.member = false;
  const waitMs = code === 'node_not_registered' ? 0 : state.jitter.backoffMs(0);
  if (!state.isInFlight('register')) state.registerAtMs = addMs(nowMs, waitMs);
}

function retryFailure(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  if (state.mode.type !== 'failing') return;
  const { attempt, failure } = state.mode;
  if (attempt + 1 >= FAIL_TRIES_MAX) {
    const { code, message } = failure;
    leave(state, effects, nowMs, { type: 'failed', code, message });
    return;
  }
  const atMs = addMs(nowMs, state.jitter.backoffMs(attempt));
  state.mode = { ...state.mode, attempt: attempt + 1, atMs };
}

function onRegisterFailed(state: HolderState, effects: HolderEffect[], event: CallFailed): void {
  const { code, message, nowMs } = event;
  state.member = false;
  if (code === 'node_id_in_use') {
    state.nodeIdBusySinceMs ??= nowMs;
    const { nodeIdBusyMaxMs } = state.options;
    const ttlMs = state.spec?.leaseTtlMs ?? NODE_ID_BUSY_DEFAULT_MS;
    const limitMs = nodeIdBusyMaxMs ?? ttlMs + NODE_ID_BUSY_SLACK_MS;
    if (elapsedMs(state.nodeIdBusySinceMs, nowMs) >= limitMs) {
      end(state, effects, { type: 'failed', code, message: `${message}; give each agent its own` });
      return;
    }
  } else if (!errorKind(code).retryable) {
    end(state, effects, { type: 'failed', code, message });
    return;
  }
  const waitMs = state.jitter.backoffMs(state.registerAttempt);
  if (state.registerAttempt === 0) tell(effects, 'warn', 'register_retry', { code, message });
  state.registerAttempt += 1;
  state.registerAtMs = addMs(nowMs, waitMs);
}

function onRefused(
  state: HolderState,
  effects: HolderEffect[],
  call: Exclude<HolderCall, { type: 'register' | 'leave' }>,
  event: CallFailed,
): void {
  const { code, message, nowMs } = event;
  switch (call.type) {
    case 'heartbeat':
      tell(effects, 'warn', 'heartbeat_refused', { code, message });
      return;
    case 'request_leases':
      onRequestRefused(state, effects, event);
      return;
    case 'progress':
      onLeaseRefused(state, effects, call.leaseId, event);
      return;
    case 'renew':
      onRenewalRefused(state, effects, call, event);
      return;
    case 'commit':
      onLeaseRefused(state, effects, call.piece.leaseId, event);
      return;
    case 'release': {
      const held = state.leases.get(call.leaseId);
      if (held !== undefined) state.lose(effects, held, message);
      return;
    }
    case 'request_finalize':
      if (errorKind(code).retryable) askFinalizeAgain(state, nowMs);
      else leave(state, effects, nowMs, { type: 'failed', code, message });
      return;
    case 'complete_job':
      // Another node may have been given the task meanwhile: wait for what it makes of it.
      if (code === 'lease_unknown') askFinalizeAgain(state, nowMs);
      else leave(state, effects, nowMs, { type: 'failed', code, message });
      return;
    case 'fail_job':
      if (errorKind(code).retryable) retryFailure(state, effects, nowMs);
      else if (state.mode.type === 'failing') {
        const { failure } = state.mode;
        const outcome = { type: 'failed', code: failure.code, message: failure.message } as const;
        leave(state, effects, nowMs, outcome);
      }
      return;
    default:
      call satisfies never;
  }
}

function askFinalizeAgain(state: HolderState, nowMs: MonoMs): void {
  if (state.mode.type !== 'finalizing') return;
  const atMs = addMs(nowMs, REQUEST_WAIT_MIN_MS);
  state.mode = { type: 'finalizing', step: { type: 'asking', atMs } };
}

function onRequestRefused(state: HolderState, effects: HolderEffect[], event: CallFailed): void {
  const { code, message, nowMs } = event;
  if (code === 'job_not_ready') {
    state.jobReady = false;
    state.registerAtMs ??= addMs(nowMs, BARRIER_POLL_MS);
  } else if (code === 'job_draining') {
    if (state.mode.type === 'working') {
      state.mode = { type: 'winding', reason: 'the job is draining' };
    }
  } else if (errorKind(code).retryable) {
    state.requestAtMs = addMs(nowMs, state.jitter.backoffMs(state.requestAttempt));
    state.requestAttempt += 1;
  } else {
    leave(state, effects, nowMs, { type: 'failed', code, message });
  }
}

/** Whatever it has against all of them together, it is asked lease by lease, which every version understands. */
function onRenewalRefused(
  state: HolderState,
  effects: HolderEffect[],
  { leaseIds }: Extract<HolderCall, { type: 'renew' }>,
  { code, message, nowMs }: CallFailed,
): void {
  const { retryable } = errorKind(code);
  if (!retryable) {
    state.renewsTogether = false;
    tell(effects, 'info', 'renewal_refused', { leases: leaseIds.length, code, message });
  }
  const renewAtMs = retryable ? addMs(nowMs, state.reportIntervalMs) : nowMs;
  for (const leaseId of leaseIds) {
    const held = state.leases.get(leaseId);
    if (held !== undefined) held.renewAtMs = renewAtMs;
  }
}

function onLeaseRefused(
  state: HolderState,
  effects: HolderEffect[],
  leaseId: LeaseId,
  event: CallFailed,
): void {
  const { code, message, nowMs } = event;
  const held = state.leases.get(leaseId);
  if (code === 'job_commits_outputs') {
    leave(state, effects, nowMs, { type: 'failed', code, message });
    return;
  }
  if (held === undefined || state.spec === null) return;
  const gone = code === 'lease_unknown' || code === 'lease_not_owned';
  // A report may be overtaken by a later commit; the next one says more.
  const overtaken = code === 'cursor_regressed';
  if (!gone && (overtaken || errorKind(code).retryable)) {
    held.reportAtMs = addMs(nowMs, state.reportIntervalMs);
    held.renewAtMs = held.reportAtMs;
    return;
  }
  tell(effects, gone ? 'info' : 'error', 'lease_refused', { lease_id: leaseId, code, message });
  if (gone) state.lose(effects, held, message);
  else state.surrender(effects, held, message);
}

function tell(
  effects: HolderEffect[],
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields: FactFields,
): void {
  effects.push({ type: 'fact', level, event, fields });
}
