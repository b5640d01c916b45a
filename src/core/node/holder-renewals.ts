/**
 * Which leases have something to tell the coordinator, and how the others are renewed: all of them in one call.
 * A coordinator of an older version refuses it; it is told of each lease by itself, as long as this node is
 * registered with it.
 */
import type { MonoMs } from '../base/units.ts';
import { addMs } from '../base/units.ts';
import { RENEWED_MAX } from '../job/decide-leases.ts';
import type { HolderCall, HolderEffect } from './holder-protocol.ts';
import type { HeldLease, HolderState } from './holder-state.ts';

/** Something was delivered that the coordinator has not acknowledged. */
export function hasNews(held: HeldLease): boolean {
  return held.delivered > held.acknowledged;
}

/** Nothing is to be told of it, or under way, but that it is held. */
export function isQuiet(held: HeldLease): boolean {
  // What has nothing left to be committed goes back at once.
  const isLeaving = held.releasing !== null || (held.releaseWanted && held.pieces.length === 0);
  return !hasNews(held) && !isLeaving && held.report === null && held.renewal === null;
}

/** Notes how far delivery is. What is new is told after a while, together with what comes meanwhile. */
export function deliverTo(
  state: HolderState,
  held: HeldLease,
  cursor: number,
  nowMs: MonoMs,
): void {
  const wasQuiet = !hasNews(held);
  // Work that was begun again after a crash passes old ground; the report never goes back.
  held.delivered = Math.max(held.delivered, cursor);
  if (wasQuiet) held.reportAtMs = addMs(nowMs, state.reportIntervalMs);
}

/** When one of them is due all that are quiet are renewed, and so all are due together from then on. */
export function sendRenewals(state: HolderState, effects: HolderEffect[], nowMs: MonoMs): void {
  if (!isDue(state, nowMs)) return;
  const quiet = [...state.leases.values()].filter(isQuiet);
  for (const held of quiet) held.renewAtMs = addMs(nowMs, state.renewalIntervalMs);
  if (!state.renewsTogether) {
    for (const held of quiet) sendReport(state, effects, held, nowMs);
    return;
  }
  for (let from = 0; from < quiet.length; from += RENEWED_MAX) {
    const some = quiet.slice(from, from + RENEWED_MAX);
    const call: HolderCall = { type: 'renew', leaseIds: some.map(({ lease }) => lease.leaseId) };
    for (const held of some) held.renewal = call;
    state.call(effects, call, nowMs);
  }
}

function isDue(state: HolderState, nowMs: MonoMs): boolean {
  for (const held of state.leases.values()) {
    if (nowMs >= held.renewAtMs && isQuiet(held)) return true;
  }
  return false;
}

export function sendReport(
  state: HolderState,
  effects: HolderEffect[],
  held: HeldLease,
  nowMs: MonoMs,
): void {
  held.reportAtMs = addMs(nowMs, state.reportIntervalMs);
  const { leaseId } = held.lease;
  const { delivered: cursor, deliveredSamples, deliveredBytes } = held;
  const report = { type: 'progress', leaseId, cursor, deliveredSamples, deliveredBytes } as const;
  held.report = state.call(effects, report, nowMs);
  held.reported = Math.max(held.reported, cursor);
}
