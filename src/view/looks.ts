/** Nodes and leases with a screen's judgement of each. */
import type { JobSnapshot, LeaseChoice, LeaseSummary, NodeView } from '../core/job/protocol.ts';

export interface ViewLimits {
  /** A node that was not heard of for this long counts as degraded. */
  readonly staleHeartbeatMs: number;
  /** A lease whose cursors stand still for this long counts as stalled. */
  readonly leaseStallMs: number;
}

export interface LeaseLook {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly start: number;
  readonly end: number;
  readonly cursor: number;
  readonly deliveredCursor: number;
  readonly expiresInMs: number;
  /** How long its cursors have stood still. */
  readonly stillMs: number;
  readonly isStalled: boolean;
}

/** All of them, and what the coordinator counts for its nodes. */
export function allLeases({ leaseStallMs }: ViewLimits): LeaseChoice {
  const part = { type: 'places', from: 0, count: 0 } as const;
  return { wholeUpTo: Number.MAX_SAFE_INTEGER, part, stallMs: leaseStallMs };
}

export interface NodeLook extends NodeView {
  readonly isStale: boolean;
}

/** What a judgement of the job needs of its leases, however many they are. */
export interface LeaseFigures {
  readonly count: number;
  readonly stalledCount: number;
  /** The smallest time that one has stood still; 0 where there is none. */
  readonly leastStillMs: number;
  readonly firstStalled: {
    readonly leaseId: string;
    readonly nodeId: string;
    readonly deliveredCursor: number;
    readonly stillMs: number;
  } | null;
}

/** `summary`: where not all leases are listed, what the coordinator says of all. */
export function leaseFigures(
  leases: readonly LeaseLook[],
  summary: LeaseSummary | null,
): LeaseFigures {
  if (summary !== null && summary.count > leases.length) {
    return { ...summary, firstStalled: summary.stalled[0] ?? null };
  }
  const stalled = leases.filter((lease) => lease.isStalled);
  return {
    count: leases.length,
    stalledCount: stalled.length,
    leastStillMs: leases.reduce(
      (least, lease) => Math.min(least, lease.stillMs),
      leases[0]?.stillMs ?? 0,
    ),
    firstStalled: stalled[0] ?? null,
  };
}

/**
 * `watchedMs` says how long the cursors of a lease have stood still as far as this screen watched; the
 * coordinator knows since it leads. The longer of the two is true, whoever was restarted last.
 */
export function leaseLooks(
  snapshot: JobSnapshot,
  limits: ViewLimits,
  watchedMs: (leaseId: string) => number,
): readonly LeaseLook[] {
  return snapshot.liveLeases.map((lease) => {
    const stillMs = Math.max(lease.stillMs, watchedMs(lease.leaseId));
    return {
      leaseId: lease.leaseId,
      nodeId: lease.nodeId,
      start: lease.range.start,
      end: lease.range.end,
      cursor: lease.cursor,
      deliveredCursor: lease.deliveredCursor,
      expiresInMs: lease.expiresInMs,
      stillMs,
      isStalled: stillMs >= limits.leaseStallMs,
    };
  });
}

export function nodeLooks(snapshot: JobSnapshot, limits: ViewLimits): readonly NodeLook[] {
  return snapshot.nodes.map((node) => ({
    ...node,
    isStale: node.heartbeatAgeMs >= limits.staleHeartbeatMs,
  }));
}
