/** The read side of a job: what status, screens and the v0 snapshot show. Changes nothing. */
import { elapsedMs, type MonoMs, type NodeId } from '../base/units.ts';
import type { JobState, LeaseState, NodeState } from './job-state.ts';
import { LeaseMap, type MapCell } from './lease-map.ts';
import type {
  ElasticState,
  JobFigures,
  JobSnapshot,
  LiveLease,
  NodeView,
  Registered,
} from './protocol.ts';

export interface DigestOptions {
  /** A lease whose cursors stand still for this long counts as stalled. */
  readonly leaseStallMs: number;
  /** Parts into which the sample space is cut for the map. */
  readonly cells: number;
}

export interface JobDigest extends JobFigures {
  readonly nodes: readonly (NodeView & {
    readonly leaseCount: number;
    readonly stalledCount: number;
  })[];
  readonly leases: {
    readonly count: number;
    readonly stalledCount: number;
    /** The smallest time that a lease has stood still; 0 where there is none. */
    readonly leastStillMs: number;
    /** Some of those that stand still, longest first. */
    readonly stalled: readonly LiveLease[];
  };
  readonly map: readonly MapCell[];
}

/** Stalled leases in a digest; a screen shows a few, the others are counted. */
const STILL_LEASES_MAX = 20;

export function elasticState(job: JobState): ElasticState {
  return {
    // Ranks come and go within one step, so a transition is never left half made.
    transitionPending: false,
    transitionsTotal: job.elastic.transitionsTotal,
    lastTransitionReason: job.elastic.lastTransitionReason,
    currentWorldSize: job.nodes.size,
    targetWorldSize: job.spec.worldSize,
    lastTransitionUnixMs: job.elastic.lastTransitionUnixMs,
  };
}

export function registered(job: JobState, rank: number): Registered {
  return {
    type: 'registered',
    spec: job.spec,
    assignedRank: rank,
    registeredNodes: job.nodes.size,
    jobReady: job.ready,
    phase: job.phase,
    elastic: elasticState(job),
  };
}

export function jobFigures(job: JobState): JobFigures {
  return {
    spec: job.spec,
    phase: job.phase,
    failure: job.failure,
    jobReady: job.ready,
    jobDrained: job.drained,
    paused: job.paused,
    registeredNodes: job.nodes.size,
    availableRanges: job.work.availableRanges,
    samples: {
      unissued: job.work.unissued,
      leased: job.work.leased,
      committed: job.work.committed,
      quarantined: job.work.quarantined,
    },
    inputBytes: job.inputBytes,
    output: { rows: job.outputRows, bytes: job.outputBytes, pieces: job.pieces.count },
    outputManifestHash: job.outputManifestHash,
    counters: { ...job.counters },
    elastic: elasticState(job),
  };
}

export function jobSnapshot(job: JobState, nowMs: MonoMs): JobSnapshot {
  return {
    type: 'snapshot',
    ...jobFigures(job),
    nodes: nodesByRank(job).map((node) => nodeView(node, nowMs)),
    liveLeases: [...job.leases.values()].map((lease) => liveLease(lease, nowMs)),
  };
}

/** A job in figures that do not grow with its leases: what metrics and pages are drawn from. */
export function jobDigest(job: JobState, nowMs: MonoMs, options: DigestOptions): JobDigest {
  const map = new LeaseMap(job.spec.sampleCount, options.cells);
  const stalledBy = new Map<NodeId, number>();
  const still: LeaseState[] = [];
  let stalledCount = 0;
  let leastStillMs = Infinity;
  for (const lease of job.leases.values()) {
    const stillMs = elapsedMs(lease.movedMs, nowMs);
    const isStalled = stillMs >= options.leaseStallMs;
    leastStillMs = Math.min(leastStillMs, stillMs);
    if (lease.doubles === null) {
      map.add(isStalled ? 'stalled' : 'leased', lease.cursor, lease.end);
    }
    if (!isStalled) continue;
    stalledCount += 1;
    stalledBy.set(lease.nodeId, (stalledBy.get(lease.nodeId) ?? 0) + 1);
    if (still.length < STILL_LEASES_MAX) still.push(lease);
  }
  for (const { start, end } of job.work.doneRuns()) map.add('done', start, end);
  return {
    ...jobFigures(job),
    nodes: nodesByRank(job).map((node) => ({
      ...nodeView(node, nowMs),
      leaseCount: node.leases.size,
      stalledCount: stalledBy.get(node.nodeId) ?? 0,
    })),
    leases: {
      count: job.leases.size,
      stalledCount,
      leastStillMs: job.leases.size === 0 ? 0 : leastStillMs,
      stalled: still.sort((a, b) => a.movedMs - b.movedMs).map((lease) => liveLease(lease, nowMs)),
    },
    map: map.fractions(),
  };
}

function nodesByRank(job: JobState): readonly NodeState[] {
  return [...job.nodes.values()].sort((a, b) => a.rank - b.rank);
}

function nodeView(node: NodeState, nowMs: MonoMs): NodeView {
  return {
    nodeId: node.nodeId,
    assignedRank: node.rank,
    heartbeatAgeMs: Math.max(0, elapsedMs(node.lastHeardMs, nowMs)),
    caps: node.caps,
    stats: node.stats,
    draining: node.draining,
  };
}

function liveLease(lease: LeaseState, nowMs: MonoMs): LiveLease {
  return {
    leaseId: lease.leaseId,
    nodeId: lease.nodeId,
    range: { start: lease.start, end: lease.end },
    cursor: lease.cursor,
    deliveredCursor: lease.deliveredCursor,
    stillMs: Math.max(0, elapsedMs(lease.movedMs, nowMs)),
    expiresInMs: Math.max(0, elapsedMs(nowMs, lease.deadlineMs)),
  };
}
