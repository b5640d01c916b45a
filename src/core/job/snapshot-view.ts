/** The read side of a job: what status, screens and the v0 snapshot show. Changes nothing. */
import { elapsedMs, type MonoMs, type NodeId } from '../base/units.ts';
import type { JobState, LeaseState, NodeState } from './job-state.ts';
import { chosenLeases } from './choose-leases.ts';
import { LeaseMap, type MapCell } from './lease-map.ts';
import type {
  ElasticState,
  JobFigures,
  JobSnapshot,
  LeaseChoice,
  LeaseSummary,
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
  readonly nodes: readonly (NodeView & { readonly stalledCount: number })[];
  readonly leases: LeaseSummary;
  readonly map: readonly MapCell[];
}

/** Stalled leases in a summary; a screen shows a few, the others are counted. */
const STILL_LEASES_MAX = 20;

/** What of the leases a summary is made of: filled while they are gone through. */
class StillLeases {
  readonly #job: JobState;
  readonly #nowMs: MonoMs;
  readonly #stallMs: number;
  readonly #first: LeaseState[] = [];
  #stalledCount = 0;
  #leastStillMs = Infinity;

  constructor(job: JobState, nowMs: MonoMs, stallMs: number) {
    this.#job = job;
    this.#nowMs = nowMs;
    this.#stallMs = stallMs;
  }

  /** Whether it is stalled. */
  add(lease: LeaseState): boolean {
    const stillMs = elapsedMs(this.#job.stillSinceMs(lease), this.#nowMs);
    this.#leastStillMs = Math.min(this.#leastStillMs, stillMs);
    if (stillMs < this.#stallMs) return false;
    this.#stalledCount += 1;
    if (this.#first.length < STILL_LEASES_MAX) this.#first.push(lease);
    return true;
  }

  summary(count: number): LeaseSummary {
    const job = this.#job;
    const longestFirst = this.#first.sort((a, b) => job.stillSinceMs(a) - job.stillSinceMs(b));
    return {
      count,
      stalledCount: this.#stalledCount,
      leastStillMs: count === 0 ? 0 : this.#leastStillMs,
      stalled: longestFirst.map((lease) => liveLease(job, lease, this.#nowMs)),
    };
  }
}

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

/** How long a node may wait for others at most before it asks again; it is told when they are there. */
const BARRIER_WAIT_MAX_MS = 1_600;

export function registered(job: JobState, rank: number): Registered {
  return {
    type: 'registered',
    spec: job.spec,
    ...tokenOf(job),
    assignedRank: rank,
    registeredNodes: job.nodes.size,
    jobReady: job.ready,
    ...(job.ready ? {} : { waitMaxMs: BARRIER_WAIT_MAX_MS }),
    phase: job.phase,
    elastic: elasticState(job),
  };
}

function tokenOf({ token }: JobState): { readonly jobToken?: string } {
  return token === null ? {} : { jobToken: token };
}

export function jobFigures(job: JobState, nowMs: MonoMs): JobFigures {
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
    stores: [...job.stores.values()].map((store) => store.view(job.spec.jobId, nowMs)),
  };
}

export interface JobOverview extends JobFigures {
  readonly nodes: readonly NodeView[];
}

/** Without its leases. */
export function jobOverview(job: JobState, nowMs: MonoMs): JobOverview {
  const nodes = nodesByRank(job).map((node) => nodeView(node, nowMs));
  return { ...jobFigures(job, nowMs), nodes };
}

/** With all live leases, or those that are chosen and a summary of all. */
export function jobSnapshot(
  job: JobState,
  nowMs: MonoMs,
  choice: LeaseChoice | null = null,
): JobSnapshot {
  const liveLeases: LiveLease[] = [];
  for (const lease of choice === null ? job.leases.values() : chosenLeases(job, choice)) {
    liveLeases.push(liveLease(job, lease, nowMs));
  }
  return {
    type: 'snapshot',
    ...tokenOf(job),
    ...jobOverview(job, nowMs),
    liveLeases,
    leases: choice === null ? null : leaseSummary(job, nowMs, choice.stallMs),
  };
}

function leaseSummary(job: JobState, nowMs: MonoMs, stallMs: number): LeaseSummary {
  const still = new StillLeases(job, nowMs, stallMs);
  for (const lease of job.leases.values()) still.add(lease);
  return still.summary(job.leases.size);
}

/** A job in figures that do not grow with its leases: what metrics and pages are drawn from. */
export function jobDigest(job: JobState, nowMs: MonoMs, options: DigestOptions): JobDigest {
  const map = new LeaseMap(job.spec.sampleCount, options.cells);
  const stalledBy = new Map<NodeId, number>();
  const still = new StillLeases(job, nowMs, options.leaseStallMs);
  for (const lease of job.leases.values()) {
    const isStalled = still.add(lease);
    if (lease.doubles === null) {
      map.add(isStalled ? 'stalled' : 'leased', lease.cursor, lease.end);
    }
    if (isStalled) stalledBy.set(lease.nodeId, (stalledBy.get(lease.nodeId) ?? 0) + 1);
  }
  for (const { start, end } of job.work.doneRuns()) map.add('done', start, end);
  return {
    ...jobFigures(job, nowMs),
    nodes: nodesByRank(job).map((node) => ({
      ...nodeView(node, nowMs),
      stalledCount: stalledBy.get(node.nodeId) ?? 0,
    })),
    leases: still.summary(job.leases.size),
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
    leaseCount: node.leases.size,
    deliveredSamples: node.pace.movedSamples,
  };
}

/** In whole milliseconds: of a hundred thousand leases the fractions alone would be megabytes. */
function liveLease(job: JobState, lease: LeaseState, nowMs: MonoMs): LiveLease {
  return {
    leaseId: lease.leaseId,
    nodeId: lease.nodeId,
    range: { start: lease.start, end: lease.end },
    cursor: lease.cursor,
    deliveredCursor: lease.deliveredCursor,
    stillMs: Math.max(0, Math.round(elapsedMs(job.stillSinceMs(lease), nowMs))),
    expiresInMs: Math.max(0, Math.round(elapsedMs(nowMs, lease.deadlineMs))),
  };
}
