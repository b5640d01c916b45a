/** How fast each node delivers, from how much it had delivered at two looks. Pure. */
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';

export interface NodeRateHistory {
  readonly atMs: MonoMs | null;
  readonly delivered: ReadonlyMap<string, number>;
  /** Samples a second by node; one is missing until it was seen twice. */
  readonly perSecond: ReadonlyMap<string, number>;
}

export const NO_NODE_RATES: NodeRateHistory = {
  atMs: null,
  delivered: new Map(),
  perSecond: new Map(),
};

/** A rate is smoothed over about this time: reports and commits come in steps. */
const RATE_WINDOW_MS = 5000;

export function nextNodeRates(
  before: NodeRateHistory,
  nodes: readonly { readonly nodeId: string; readonly deliveredSamples: number | null }[],
  nowMs: MonoMs,
): NodeRateHistory {
  const now = new Map<string, number>();
  for (const { nodeId, deliveredSamples } of nodes) {
    if (deliveredSamples !== null) now.set(nodeId, deliveredSamples);
  }
  const spanMs = before.atMs === null ? 0 : elapsedMs(before.atMs, nowMs);
  if (before.atMs !== null && spanMs <= 0) return before;
  const weight = 1 - Math.exp(-spanMs / RATE_WINDOW_MS);
  const perSecond = new Map<string, number>();
  for (const [nodeId, count] of now) {
    const last = before.delivered.get(nodeId);
    // Less than before: another process leads, and counts anew.
    if (last === undefined || count < last) continue;
    const current = ((count - last) * 1000) / spanMs;
    const old = before.perSecond.get(nodeId);
    perSecond.set(nodeId, old === undefined ? current : old + (current - old) * weight);
  }
  return { atMs: nowMs, delivered: now, perSecond };
}
