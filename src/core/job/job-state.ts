/**
 * What the coordinator knows of one job. Everything here follows from the records applied so far,
 * except what is marked volatile: that is relearnt after a restart and never written down.
 */
import { must } from '../base/assert.ts';
import {
  type JobId,
  type LeaseId,
  type LeasePosition,
  type ManifestHash,
  monoMs,
  type MonoMs,
  type NodeId,
} from '../base/units.ts';
import { type Tuning, UNTUNED } from './operations.ts';
import type { Pace } from './pace.ts';
import { PieceList } from './piece-list.ts';
import type { JobPhase, JobSpec, NodeCaps, NodeStats } from './protocol.ts';
import type { StoreBudget } from './store-budget.ts';
import { WorkLedger } from './work-ledger.ts';

export interface NodeState {
  readonly nodeId: NodeId;
  readonly rank: number;
  instanceId: string | null;
  caps: NodeCaps;
  draining: boolean;
  tuning: Tuning;
  /** In the order in which they were granted. */
  readonly leases: Set<LeaseId>;
  /** Volatile: when the coordinator last heard from it. */
  lastHeardMs: MonoMs;
  /** Volatile: its session broke and it was not heard since. */
  disconnected: boolean;
  /** Volatile. */
  stats: NodeStats;
  /** Volatile. */
  pace: Pace;
}

export interface LeaseState {
  readonly leaseId: LeaseId;
  readonly nodeId: NodeId;
  readonly start: number;
  /** Goes down when the tail is split off for another node; never up. */
  end: number;
  /** start <= cursor < end: a lease whose cursor reaches its end is no lease any more. */
  cursor: number;
  /** Volatile: how far the node says it has delivered. */
  deliveredCursor: number;
  /** Volatile: when one of its cursors moved last, it was granted, or its turn came: see `stillSinceMs`. */
  movedMs: MonoMs;
  /** Volatile: when it expires unless renewed. */
  deadlineMs: MonoMs;
  /**
   * The lease whose work this one does a second time, and the one that does this one's: at most one of the
   * two is there. A double starts at the cursor of its lease; the first of both to commit takes all that is
   * left, and only the other's samples are counted as leased until then.
   */
  doubles: LeaseId | null;
  doubledBy: LeaseId | null;
  /** Start of the last committed piece, so that a repeated commit is known as one; -1 for none. */
  lastCommitStart: number;
}

/** Whether anything of it is known to be delivered. */
function hasBegun(lease: LeaseState): boolean {
  return lease.deliveredCursor > lease.start;
}

/** Of the leases that a node holds, the one that was granted first. */
function firstOf({ leases }: NodeState): LeaseId | null {
  for (const leaseId of leases) return leaseId;
  return null;
}

/** A lease that reached its end, remembered so that a repeated last report gets its answer again. */
export interface FinishedLease {
  readonly nodeId: NodeId;
  readonly end: number;
  readonly lastCommitStart: number;
}

/** How many finished leases are remembered; older repeats get `lease_unknown`, which is harmless. */
export const FINISHED_LEASES_MAX = 10_000;
/** As many as nodes may ask about once a job is completed: it may stay for long. */
export const FINISHED_OF_COMPLETED_MAX = 1_000;

export interface MutableCounters {
  registerTotal: number;
  heartbeatTotal: number;
  requestLeaseTotal: number;
  leasesGrantedTotal: number;
  leasesExpiredTotal: number;
  rangesRequeuedTotal: number;
  progressTotal: number;
  resumeCheckpointAppliedTotal: number;
  resumeCheckpointRejectedTotal: number;
  resumeRangesAppliedTotal: number;
}

export interface MutableElastic {
  transitionsTotal: number;
  lastTransitionReason: string;
  lastTransitionUnixMs: number;
}

export interface Finalizer {
  readonly nodeId: NodeId;
  readonly token: string;
}

export const IDLE_STATS: NodeStats = {
  inflightBytes: 0,
  ramHighWaterBytes: 0,
  fetchQueueDepth: 0,
  decodeQueueDepth: 0,
  packQueueDepth: 0,
  autotuneEnabled: false,
  effectivePrefetchBatches: 0,
  effectiveMaxQueueBatches: 0,
  effectiveWant: 0,
  autotunePressureMilli: 0,
  autotuneCooldownTicks: 0,
  batchPayloadP95OverP50Milli: 0,
  batchJitterSloBreachesTotal: 0,
};

export class JobState {
  spec: JobSpec;
  /** Tells it from others of its name, before and after it; null for one that an older version created. */
  readonly token: string | null;
  /** The id it was created under, when it took another from its first node. */
  adoptedFrom: JobId | null = null;
  phase: JobPhase = 'running';
  failure: { readonly code: string; readonly message: string } | null = null;
  ready = false;
  paused = false;
  /** Nodes that wait for work, or for others, and are to hear of it: in the order in which they asked. Relearnt. */
  readonly waiting: Set<NodeId> = new Set<NodeId>();
  tuning: Tuning = UNTUNED;
  work: WorkLedger;
  readonly nodes: Map<NodeId, NodeState> = new Map<NodeId, NodeState>();
  /**
   * In order of deadline: all leases of a job live equally long, so moving a renewed one to the end keeps
   * the order, and a tick looks only at what has expired. The order itself is volatile.
   */
  readonly leases: Map<LeaseId, LeaseState> = new Map<LeaseId, LeaseState>();
  readonly finished: Map<LeaseId, FinishedLease> = new Map<LeaseId, FinishedLease>();
  readonly pieces: PieceList = new PieceList();
  outputRows = 0;
  outputBytes = 0;
  inputBytes = 0;
  /** Flat pairs of the checkpoint that was applied, or null. */
  resumed: readonly number[] | null = null;
  finalizer: Finalizer | null = null;
  outputManifestHash: ManifestHash | null = null;
  /** On the wall clock; null until then, and where an older version wrote that down. */
  completedUnixMs: number | null = null;
  /** Volatile: the nodes that were found to need long for what they hold, and when they are looked for again. */
  busy: { readonly nodes: readonly NodeId[]; readonly untilMs: MonoMs } = {
    nodes: [],
    untilMs: monoMs(0),
  };
  /** Volatile: those of `CoordinatorState` that its nodes take part in. */
  readonly stores: Map<string, StoreBudget> = new Map<string, StoreBudget>();
  readonly counters: MutableCounters = {
    registerTotal: 0,
    heartbeatTotal: 0,
    requestLeaseTotal: 0,
    leasesGrantedTotal: 0,
    leasesExpiredTotal: 0,
    rangesRequeuedTotal: 0,
    progressTotal: 0,
    resumeCheckpointAppliedTotal: 0,
    resumeCheckpointRejectedTotal: 0,
    resumeRangesAppliedTotal: 0,
  };
  readonly elastic: MutableElastic = {
    transitionsTotal: 0,
    lastTransitionReason: '',
    lastTransitionUnixMs: 0,
  };

  constructor(spec: JobSpec, token: string | null = null) {
    this.spec = spec;
    this.token = token;
    this.work = new WorkLedger(spec);
  }

  /** Every sample is committed or quarantined. */
  get drained(): boolean {
    return this.work.allDone;
  }

  node(id: NodeId): NodeState {
    return must(this.nodes.get(id), () => `node ${id} is registered`);
  }

  /** Puts the lease's deadline a full TTL from now. */
  renew(lease: LeaseState, nowMs: MonoMs, deadlineMs: MonoMs): void {
    lease.deadlineMs = deadlineMs;
    this.leases.delete(lease.leaseId);
    this.leases.set(lease.leaseId, lease);
    this.node(lease.nodeId).lastHeardMs = nowMs;
  }

  /** Takes the lease out of every index; the caller says what becomes of its range. */
  drop(lease: LeaseState): void {
    this.leases.delete(lease.leaseId);
    const node = this.nodes.get(lease.nodeId);
    if (node === undefined) return;
    const wasFirst = firstOf(node) === lease.leaseId;
    node.leases.delete(lease.leaseId);
    const next = this.leases.get(firstOf(node) ?? lease.leaseId);
    // The time in which it waited for its turn is none in which it stood still.
    if (!wasFirst || next === undefined || hasBegun(next)) return;
    next.movedMs = monoMs(Math.max(next.movedMs, node.lastHeardMs));
  }

  /**
   * Since when the lease stands still. A node begins what it holds in the order in which it was granted: a
   * lease that waits for its turn stands still only as long as its node does.
   */
  stillSinceMs(lease: LeaseState): MonoMs {
    const node = this.node(lease.nodeId);
    if (hasBegun(lease) || firstOf(node) === lease.leaseId) return lease.movedMs;
    return monoMs(Math.max(lease.movedMs, node.pace.lastMoveMs ?? lease.movedMs));
  }

  remember(lease: LeaseState): void {
    this.finished.set(lease.leaseId, {
      nodeId: lease.nodeId,
      end: lease.end,
      lastCommitStart: lease.lastCommitStart,
    });
    if (this.finished.size <= FINISHED_LEASES_MAX) return;
    for (const oldest of this.finished.keys()) {
      this.finished.delete(oldest);
      break;
    }
  }

  /** Of its finished leases it remembers the newest only. */
  complete(outputManifestHash: ManifestHash | null, atUnixMs: number | null): void {
    this.phase = 'completed';
    this.finalizer = null;
    this.outputManifestHash = outputManifestHash;
    this.completedUnixMs = atUnixMs;
    for (const oldest of this.finished.keys()) {
      if (this.finished.size <= FINISHED_OF_COMPLETED_MAX) return;
      this.finished.delete(oldest);
    }
  }

  /** Since when it is over, on the wall clock; where nobody wrote that down, since its last node went. */
  get endedUnixMs(): number {
    return this.completedUnixMs ?? this.elastic.lastTransitionUnixMs;
  }

  /** The smallest rank nobody holds, or null when all are taken. */
  freeRank(): number | null {
    const taken = new Set<number>();
    for (const node of this.nodes.values()) taken.add(node.rank);
    for (let rank = 0; rank < this.spec.worldSize; rank += 1) if (!taken.has(rank)) return rank;
    return null;
  }
}

export class CoordinatorState {
  readonly jobs: Map<JobId, JobState> = new Map<JobId, JobState>();
  /** Volatile: by host, of all jobs. */
  readonly stores: Map<string, StoreBudget> = new Map<string, StoreBudget>();
}

export function emptyState(): CoordinatorState {
  return new CoordinatorState();
}

/** Where a record stands in the log. */
export type RecordPosition = LeasePosition;
