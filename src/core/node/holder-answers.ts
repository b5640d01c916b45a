/** What the lease holder makes of the coordinator's answers. */
import type { LeaseId, MonoMs } from '../base/units.ts';
import { addMs } from '../base/units.ts';
import type { Lease, LeasesGranted, Registered } from '../job/protocol.ts';
import type {
  HolderAnswer,
  HolderCall,
  HolderEffect,
  HolderEvent,
  NodeOutcome,
} from './holder-protocol.ts';
import { HeldLease, leaseDeadlineMs, type HolderState } from './holder-state.ts';
import { endLeaving, leave } from './holder-exit.ts';
import { BARRIER_POLL_MS, REQUEST_WAIT_MIN_MS } from './limits.ts';

type Answered = Extract<HolderEvent, { type: 'answered' }>;
type Accepted = Extract<HolderAnswer, { type: 'accepted' }>;
type CallOf<T extends HolderCall['type']> = Extract<HolderCall, { type: T }>;

export function onAnswer(state: HolderState, effects: HolderEffect[], event: Answered): void {
  const flight = state.inFlight.get(event.callId);
  if (flight === undefined) return;
  state.inFlight.delete(event.callId);
  const { call, sentAtMs } = flight;
  const { answer, nowMs } = event;
  switch (call.type) {
    case 'register':
      if (answer.type === 'registered') onRegistered(state, effects, answer, nowMs);
      return;
    case 'request_leases':
      if (answer.type === 'leases') onLeases(state, effects, answer, sentAtMs, nowMs);
      return;
    case 'progress':
      if (answer.type === 'accepted') onProgress(state, effects, call, answer, sentAtMs);
      return;
    case 'renew':
      if (answer.type === 'renewed') onRenewed(state, effects, call, answer, sentAtMs);
      return;
    case 'commit':
      if (answer.type === 'accepted') onCommit(state, effects, call, answer, sentAtMs);
      return;
    case 'release':
      onReleased(state, effects, call);
      return;
    case 'request_finalize':
      if (answer.type === 'finalize') onFinalize(state, effects, answer, nowMs);
      return;
    case 'complete_job': {
      const { outputManifestHash } = call;
      leave(state, effects, nowMs, { type: 'completed', outputManifestHash });
      return;
    }
    case 'fail_job': {
      const { code, message } = call;
      leave(state, effects, nowMs, { type: 'failed', code, message });
      return;
    }
    case 'leave':
      endLeaving(state, effects);
      return;
    case 'heartbeat':
      return;
    default:
      call satisfies never;
  }
}

function onRegistered(
  state: HolderState,
  effects: HolderEffect[],
  answer: Registered,
  nowMs: MonoMs,
): void {
  const pinned = state.spec?.manifestHash;
  if (pinned !== undefined && pinned !== answer.spec.manifestHash) {
    const message = `job ${answer.spec.jobId} was pinned to manifest ${pinned} and now answers with ${answer.spec.manifestHash}`;
    leave(state, effects, nowMs, { type: 'failed', code: 'manifest_corrupt', message });
    return;
  }
  state.spec = answer.spec;
  state.jobToken = answer.jobToken ?? state.jobToken;
  state.jobReady = answer.jobReady;
  state.member = true;
  state.registration += 1;
  state.registerAttempt = 0;
  state.nodeIdBusySinceMs = null;
  waitForOthers(state, answer, nowMs);
  // Whatever was due while the coordinator was away is due now.
  for (const held of state.leases.values()) {
    held.reportAtMs = nowMs;
    held.renewAtMs = nowMs;
  }
  // It may be another coordinator by now.
  state.renewsTogether = true;
  effects.push({ type: 'registered', answer });
  sayWait(state, effects, answer);
}

function waitForOthers(
  state: HolderState,
  { jobReady, waitMaxMs = 0 }: Registered,
  nowMs: MonoMs,
): void {
  if (!jobReady) {
    state.registerAtMs = addMs(nowMs, state.waitInVainMs(BARRIER_POLL_MS, waitMaxMs));
    return;
  }
  state.registerAtMs = null;
  if (state.vainAnswers === 0) return;
  // Another coordinator may have work, and does not know that somebody waits for it.
  state.vainAnswers = 0;
  state.requestAtMs = nowMs;
}

/** Who waits for others looks like one that hangs: it is said once for each number of nodes. */
function sayWait(state: HolderState, effects: HolderEffect[], answer: Registered): void {
  const { jobReady, registeredNodes, spec } = answer;
  const nodes = jobReady ? 0 : registeredNodes;
  if (nodes === state.waitSaidNodes) return;
  state.waitSaidNodes = nodes;
  if (nodes === 0) return;
  const { jobId, minWorldSize } = spec;
  const fields = {
    job_id: jobId,
    registered_nodes: registeredNodes,
    min_world_size: minWorldSize,
  };
  effects.push({ type: 'fact', level: 'info', event: 'membership_wait', fields });
}

function onLeases(
  state: HolderState,
  effects: HolderEffect[],
  answer: LeasesGranted,
  sentAtMs: MonoMs,
  nowMs: MonoMs,
): void {
  const afterLoss = state.requestUnanswered;
  state.requestUnanswered = false;
  state.requestAttempt = 0;
  for (const lease of answer.leases) take(state, effects, lease, afterLoss, sentAtMs, nowMs);
  state.requestAtMs = addMs(nowMs, waitAfter(state, answer));
  if (answer.jobDrained && state.leases.size === 0 && state.mode.type === 'working') {
    onNoWork(state, effects, answer, nowMs);
  }
}

function waitAfter(state: HolderState, { leases, waitMs, waitMaxMs = 0 }: LeasesGranted): number {
  if (leases.length === 0) {
    return state.waitInVainMs(Math.max(waitMs, REQUEST_WAIT_MIN_MS), waitMaxMs);
  }
  state.vainAnswers = 0;
  state.hasHeardOfWork = false;
  return waitMs;
}

/**
 * A lease that may have been granted for an earlier request, whose answer was lost, is older than the
 * request that was answered: a renewal tells whether it still lives before work on it begins.
 */
function take(
  state: HolderState,
  effects: HolderEffect[],
  lease: Lease,
  afterLoss: boolean,
  sentAtMs: MonoMs,
  nowMs: MonoMs,
): void {
  if (state.spec === null || state.leases.has(lease.leaseId)) return;
  const reported = state.lost.get(lease.leaseId);
  state.lost.delete(lease.leaseId);
  const fresh = !afterLoss && reported === undefined && state.mode.type === 'working';
  const started = fresh && nowMs < leaseDeadlineMs(sentAtMs, state.spec);
  const held = new HeldLease(lease, reported ?? lease.cursor, started, sentAtMs, state.spec);
  if (started) held.renewAtMs = addMs(sentAtMs, state.renewalIntervalMs);
  else held.deadlineMs = leaseDeadlineMs(nowMs, state.spec);
  state.firstDeadlineMs = Math.min(state.firstDeadlineMs, held.deadlineMs);
  state.leases.set(lease.leaseId, held);
  if (started) begin(effects, lease, lease.cursor);
}

function begin(effects: HolderEffect[], lease: Lease, cursor: number): void {
  effects.push({ type: 'lease_started', lease: { ...lease, cursor } });
  const { leaseId, range } = lease;
  const fields = { lease_id: leaseId, start: range.start, end: range.end, cursor };
  effects.push({ type: 'fact', level: 'debug', event: 'lease_started', fields });
}

function onNoWork(
  state: HolderState,
  effects: HolderEffect[],
  answer: LeasesGranted,
  nowMs: MonoMs,
): void {
  if (answer.phase === 'completed' && state.spec?.commitsOutputs === false) {
    leave(state, effects, nowMs, { type: 'completed', outputManifestHash: null });
  } else if (state.options.finalizes && state.spec?.commitsOutputs === true) {
    state.mode = { type: 'finalizing', step: { type: 'asking', atMs: nowMs } };
  } else {
    leave(state, effects, nowMs, withoutFinalizing(answer.phase));
  }
}

function withoutFinalizing(phase: LeasesGranted['phase']): NodeOutcome {
  if (phase === 'draining') return { type: 'drained', reason: 'the job is draining' };
  return { type: 'completed', outputManifestHash: null };
}

function onProgress(
  state: HolderState,
  effects: HolderEffect[],
  call: CallOf<'progress'>,
  answer: Accepted,
  sentAtMs: MonoMs,
): void {
  const held = state.leases.get(call.leaseId);
  if (held?.report !== call || state.spec === null) return;
  held.report = null;
  held.acknowledged = Math.max(held.acknowledged, call.cursor);
  renew(state, held, sentAtMs);
  if (answer.end !== null) state.shorten(effects, held, answer.end);
  if (!state.spec.commitsOutputs && held.acknowledged === held.lease.range.end) {
    finish(state, effects, held);
  } else beginProven(state, effects, held);
}

/** The coordinator has said that the lease lives: work on it may begin. */
function beginProven(state: HolderState, effects: HolderEffect[], held: HeldLease): void {
  if (held.started || held.releaseWanted || state.spec === null) return;
  held.started = true;
  // What was delivered before the lease was lost for a while has now been acknowledged.
  begin(effects, held.lease, state.spec.commitsOutputs ? held.lease.cursor : held.acknowledged);
}

function onRenewed(
  state: HolderState,
  effects: HolderEffect[],
  call: CallOf<'renew'>,
  { ends }: Extract<HolderAnswer, { type: 'renewed' }>,
  sentAtMs: MonoMs,
): void {
  for (const [index, leaseId] of call.leaseIds.entries()) {
    const held = state.leases.get(leaseId);
    const end = ends[index];
    if (held?.renewal !== call) continue;
    held.renewal = null;
    // What is given back meanwhile hears of it by the answer to that; what was not answered is not renewed.
    if (held.releasing !== null || end === undefined) continue;
    if (end === null) {
      const message = 'the coordinator does not know it as a lease of this node any more';
      tellGone(effects, leaseId, message);
      state.lose(effects, held, message);
      continue;
    }
    renew(state, held, sentAtMs);
    state.shorten(effects, held, end);
    beginProven(state, effects, held);
  }
}

function tellGone(effects: HolderEffect[], leaseId: LeaseId, message: string): void {
  const fields = { lease_id: leaseId, code: 'lease_unknown', message };
  effects.push({ type: 'fact', level: 'info', event: 'lease_refused', fields });
}

function renew(state: HolderState, held: HeldLease, sentAtMs: MonoMs): void {
  if (state.spec === null) return;
  const renewAtMs = addMs(sentAtMs, state.renewalIntervalMs);
  if (renewAtMs > held.renewAtMs) held.renewAtMs = renewAtMs;
  const deadlineMs = leaseDeadlineMs(sentAtMs, state.spec);
  if (deadlineMs > held.deadlineMs || !held.started) held.deadlineMs = deadlineMs;
  state.firstDeadlineMs = Math.min(state.firstDeadlineMs, held.deadlineMs);
}

function onCommit(
  state: HolderState,
  effects: HolderEffect[],
  call: CallOf<'commit'>,
  answer: Accepted,
  sentAtMs: MonoMs,
): void {
  const { piece } = call;
  // Also for a lease that was lost meanwhile: the coordinator's word makes the output count.
  effects.push({ type: 'piece_committed', piece, repeated: answer.repeated });
  const held = state.leases.get(piece.leaseId);
  if (held?.commit !== call) return;
  held.commit = null;
  held.pieces.shift();
  held.acknowledged = Math.max(held.acknowledged, piece.end);
  renew(state, held, sentAtMs);
  if (answer.end !== null) state.shorten(effects, held, answer.end);
  if (piece.end === held.lease.range.end) finish(state, effects, held);
}

function finish(state: HolderState, effects: HolderEffect[], held: HeldLease): void {
  state.leases.delete(held.lease.leaseId);
  if (held.started) effects.push({ type: 'lease_finished', leaseId: held.lease.leaseId });
}

function onReleased(state: HolderState, effects: HolderEffect[], call: CallOf<'release'>): void {
  const held = state.leases.get(call.leaseId);
  if (held?.releasing !== call) return;
  state.leases.delete(call.leaseId);
  if (held.started) effects.push({ type: 'lease_released', leaseId: call.leaseId });
}

function onFinalize(
  state: HolderState,
  effects: HolderEffect[],
  answer: Extract<HolderAnswer, { type: 'finalize' }>,
  nowMs: MonoMs,
): void {
  if (state.mode.type !== 'finalizing') return;
  const { finalizeToken, outputManifestHash, phase } = answer;
  if (phase === 'completed') {
    leave(state, effects, nowMs, { type: 'completed', outputManifestHash });
  } else if (finalizeToken !== null) {
    state.mode = { type: 'finalizing', step: { type: 'publishing' } };
    effects.push({ type: 'finalize_granted', finalizeToken });
  } else if (phase === 'draining') {
    leave(state, effects, nowMs, { type: 'drained', reason: 'the job is draining' });
  } else {
    const atMs = addMs(nowMs, Math.max(answer.waitMs, REQUEST_WAIT_MIN_MS));
    state.mode = { type: 'finalizing', step: { type: 'asking', atMs } };
  }
}
