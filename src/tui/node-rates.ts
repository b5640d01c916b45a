/**
 * How fast each node delivers, in samples a second, worked out from how far the cursors of its leases
 * moved between polls. A coordinator counts for the job only, so this is an estimate: a lease that went
 * counts as delivered to its end unless a lease expired meanwhile.
 */
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { JobSnapshot } from '../core/job/protocol.ts';
import { NODE_RATE_WINDOW_MS } from './limits.ts';

interface SeenLease {
  readonly nodeId: string;
  readonly delivered: number;
  readonly end: number;
}

export interface NodeRates {
  readonly atMs: MonoMs | null;
  readonly expiredTotal: number;
  readonly leases: ReadonlyMap<string, SeenLease>;
  /** By node id; a node is missing until it has been seen twice. */
  readonly perSecond: ReadonlyMap<string, number>;
}

export const NO_RATES: NodeRates = {
  atMs: null,
  expiredTotal: 0,
  leases: new Map(),
  perSecond: new Map(),
};

export function nextRates(before: NodeRates, snapshot: JobSnapshot, nowMs: MonoMs): NodeRates {
  const leases = new Map<string, SeenLease>();
  for (const { leaseId, nodeId, deliveredCursor, cursor, range } of snapshot.liveLeases) {
    const delivered = Math.max(deliveredCursor, cursor);
    leases.set(leaseId, { nodeId, delivered, end: range.end });
  }
  const expiredTotal = snapshot.counters.leasesExpiredTotal;
  const spanMs = before.atMs === null ? 0 : elapsedMs(before.atMs, nowMs);
  if (spanMs <= 0) return { atMs: nowMs, expiredTotal, leases, perSecond: before.perSecond };
  const delivered = deliveredBetween(before, leases, snapshot, expiredTotal > before.expiredTotal);
  const weight = 1 - Math.exp(-spanMs / NODE_RATE_WINDOW_MS);
  const perSecond = new Map<string, number>();
  for (const { nodeId } of snapshot.nodes) {
    const now = ((delivered.get(nodeId) ?? 0) * 1000) / spanMs;
    const old = before.perSecond.get(nodeId);
    perSecond.set(nodeId, old === undefined ? now : old + (now - old) * weight);
  }
  return { atMs: nowMs, expiredTotal, leases, perSecond };
}

function deliveredBetween(
  before: NodeRates,
  leases: ReadonlyMap<string, SeenLease>,
  snapshot: JobSnapshot,
  hasExpired: boolean,
): ReadonlyMap<string, number> {
  const delivered = new Map<string, number>();
  const add = (nodeId: string, samples: number): void => {
    delivered.set(nodeId, (delivered.get(nodeId) ?? 0) + Math.max(0, samples));
  };
  for (const lease of snapshot.liveLeases) {
    const now = leases.get(lease.leaseId)?.delivered ?? lease.range.start;
    add(lease.nodeId, now - (before.leases.get(lease.leaseId)?.delivered ?? lease.range.start));
  }
  if (hasExpired) return delivered;
  for (const [id, gone] of before.leases) {
    if (!leases.has(id)) add(gone.nodeId, gone.end - gone.delivered);
  }
  return delivered;
}
