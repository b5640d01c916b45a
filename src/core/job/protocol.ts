/**
 * What goes into and comes out of the coordinator's state machine (`coordinator.ts`), as data.
 *
 * A command is what somebody wants; `step` answers with records (what became true, to be made
 * durable), one reply (which may wait for the records) and facts (for logs, metrics and screens).
 * Applying the records in order, from an empty state or a snapshot, gives the state back.
 */
import type { Refusal } from '../base/errors.ts';
import type { SampleRange } from '../base/range.ts';
import type { JobId, LeaseId, ManifestHash, MonoMs, NodeId } from '../base/units.ts';
import type { StoreReport, StoreShare } from '../transfer/store-report.ts';
import type { LeaseChoice } from './lease-choice.ts';
import type { Change, Operation } from './operations.ts';
import type { StoreView } from './store-view.ts';

export type { Fact, LeaseFact } from './facts.ts';
export type { LeaseChoice, LeasePart } from './lease-choice.ts';
export type { StoreView } from './store-view.ts';

/** What a job is; fixed when it is created. */
export interface JobSpec {
  readonly jobId: JobId;
  readonly manifestHash: ManifestHash;
  readonly sampleCount: number;
  /** Ranges are blocks of this many samples in id order; the last may be shorter. */
  readonly blockSize: number;
  /** Most nodes that hold a rank at a time; the order is dealt to this many ranks at first. */
  readonly worldSize: number;
  /** Leases are granted once this many nodes have registered. 1..worldSize. */
  readonly minWorldSize: number;
  readonly shuffle: boolean;
  readonly seed: bigint;
  /** Epoch of the data (a pass over it), as in the order's formula. */
  readonly epoch: number;
  readonly leaseTtlMs: number;
  readonly heartbeatIntervalMs: number;
  /** True when work counts only once its output is committed; progress then only renews. */
  readonly commitsOutputs: boolean;
  /** True when the job takes the id of the first node that registers (v0, no job id given). */
  readonly adoptsFirstJobId: boolean;
}

export interface NodeCaps {
  readonly maxFetchConcurrency: number;
  readonly maxDecodeConcurrency: number;
  readonly maxInflightBytes: number;
  readonly maxRamBytes: number;
}

/** What a node last said of itself. For display; nothing is decided by it. */
export interface NodeStats {
  readonly inflightBytes: number;
  readonly ramHighWaterBytes: number;
  readonly fetchQueueDepth: number;
  readonly decodeQueueDepth: number;
  readonly packQueueDepth: number;
  readonly autotuneEnabled: boolean;
  readonly effectivePrefetchBatches: number;
  readonly effectiveMaxQueueBatches: number;
  readonly effectiveWant: number;
  readonly autotunePressureMilli: number;
  readonly autotuneCooldownTicks: number;
  readonly batchPayloadP95OverP50Milli: number;
  readonly batchJitterSloBreachesTotal: number;
}

export interface Lease {
  readonly leaseId: LeaseId;
  readonly nodeId: NodeId;
  readonly range: SampleRange;
  /** Everything of the range below the cursor is committed. start <= cursor <= end. */
  readonly cursor: number;
}

/** A lease as shown: how long it still lives on the coordinator's clock at the time of asking. */
export interface LiveLease extends Lease {
  readonly expiresInMs: number;
  /** The furthest delivered sample the node reported; >= cursor; display only. */
  readonly deliveredCursor: number;
  /** How long none of its cursors has moved, on the coordinator's clock. */
  readonly stillMs: number;
}

/** One committed piece of output: samples [start, end), made under `leaseId`. */
export interface CommittedPiece {
  readonly start: number;
  readonly end: number;
  readonly leaseId: LeaseId;
  readonly quarantined: readonly number[];
}

export type JobPhase = 'running' | 'draining' | 'failed' | 'finalizing' | 'completed';

// ---- commands ----------------------------------------------------------------------------------

interface FromNode {
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  /** Fresh per process (v1); null for a v0 client, which has none. */
  readonly instanceId: string | null;
}

export type Command =
  | { readonly type: 'create_job'; readonly spec: JobSpec }
  /** Lets a failed or drained job go on; a new run of the same outputs. */
  | { readonly type: 'resume_job'; readonly jobId: JobId }
  /**
   * A supervisor that knows all former nodes of the job to be dead goes on with it, maybe with another
   * number of nodes: what they held is available at once.
   */
  | { readonly type: 'begin_run'; readonly jobId: JobId; readonly worldSize: number }
  /** A supervisor that started the node's process knows that it has ended. */
  | { readonly type: 'node_died'; readonly jobId: JobId; readonly died: NodeId }
  | ({
      readonly type: 'register';
      readonly caps: NodeCaps;
      /** Empty for none. */
      readonly resumeFrom: Uint8Array;
      /** Of the job that it was let in to before: another of that name is none of its business. */
      readonly jobToken?: string;
    } & FromNode)
  | ({
      readonly type: 'heartbeat';
      readonly stats: NodeStats;
      readonly sentAtUnixMs: number;
      /** Absent from versions that do not go by shares of a budget. */
      readonly stores?: readonly StoreReport[];
    } & FromNode)
  | ({
      readonly type: 'request_lease';
      /** How many further leases (held null), or how many in all (held given). > 0. */
      readonly want: number;
      /** v1: the leases the node knows it holds. Others it owns are sent again (a lost reply). */
      readonly held: readonly LeaseId[] | null;
    } & FromNode)
  | ({
      readonly type: 'progress';
      readonly leaseId: string;
      readonly cursor: number;
      readonly deliveredSamples: number;
      readonly deliveredBytes: number;
    } & FromNode)
  /** v1: all of these that the node holds live a full TTL again, although nothing of them moved. */
  | ({ readonly type: 'renew'; readonly leaseIds: readonly string[] } & FromNode)
  /** Makes the output of [start, end) of the lease count. start = the lease's cursor. */
  | ({
      readonly type: 'commit';
      readonly leaseId: string;
      readonly start: number;
      readonly end: number;
      readonly rows: number;
      readonly bytes: number;
      /** Bytes of the samples that were read for it: display only. Absent where the node does not tell. */
      readonly inputBytes?: number;
      readonly quarantined: readonly number[];
    } & FromNode)
  /** Gives the part of the lease after its cursor back at once. */
  | ({ readonly type: 'release'; readonly leaseId: string } & FromNode)
  /** The session of this instance broke: another instance may take the node id at once. Volatile. */
  | ({ readonly type: 'disconnect' } & FromNode)
  /** The node goes: its leases are released and its rank is free. */
  | ({ readonly type: 'leave' } & FromNode)
  /** The job cannot go on: no more leases, everybody stops, the cause is kept. */
  | ({
      readonly type: 'fail_job';
      readonly code: string;
      readonly message: string;
      /** As in `register`. */
      readonly jobToken?: string;
    } & FromNode)
  /** Asks for the right to publish the outputs of a drained job. */
  | ({ readonly type: 'request_finalize' } & FromNode)
  | ({
      readonly type: 'complete_job';
      readonly finalizeToken: string;
      /** Manifest of the outputs; null when the sink makes none. */
      readonly outputManifestHash: ManifestHash | null;
    } & FromNode)
  /** No further leases; what is held may finish. */
  | { readonly type: 'drain_job'; readonly jobId: JobId }
  /** What an operator wants; with `dryRun` it is only said what would change. */
  | {
      readonly type: 'operate';
      readonly jobId: JobId;
      readonly operation: Operation;
      readonly dryRun: boolean;
    }
  | { readonly type: 'get_snapshot'; readonly jobId: JobId; readonly leases?: LeaseChoice }
  | { readonly type: 'get_checkpoint'; readonly jobId: JobId }
  /**
   * A process that is no node of a job says what it does at stores, and asks what it may do there: a command, or the
   * coordinator's own. At hosts that it does not name it does nothing. Volatile.
   */
  | {
      readonly type: 'share_stores';
      readonly guestId: NodeId;
      readonly stores: readonly StoreReport[];
    }
  /** Time passed: expires leases and releases the ranks of nodes that are gone. */
  | { readonly type: 'tick' };

export type CommandType = Command['type'];

// ---- replies -----------------------------------------------------------------------------------

export interface ElasticState {
  readonly transitionPending: boolean;
  readonly transitionsTotal: number;
  readonly lastTransitionReason: string;
  readonly currentWorldSize: number;
  readonly targetWorldSize: number;
  readonly lastTransitionUnixMs: number;
}

export interface Registered {
  readonly type: 'registered';
  readonly spec: JobSpec;
  /** Where the log says that the job was created; absent where that is not known. */
  readonly jobToken?: string;
  readonly assignedRank: number;
  readonly registeredNodes: number;
  readonly jobReady: boolean;
  /** As in `LeasesGranted`, of a node that waits for others to register. */
  readonly waitMaxMs?: number;
  readonly phase: JobPhase;
  readonly elastic: ElasticState;
}

export interface LeasesGranted {
  readonly type: 'leases';
  readonly leases: readonly Lease[];
  /** How long to wait before asking again; 0 = at once. */
  readonly waitMs: number;
  /**
   * As long as there is no work a node may wait twice as long each time, up to this: it is told when there is some.
   * Absent from coordinators that do not tell.
   */
  readonly waitMaxMs?: number;
  readonly jobDrained: boolean;
  readonly phase: JobPhase;
  readonly elastic: ElasticState;
}

/**
 * v0 names of the counters; all start at 0 when the job is created. Those that count something durable
 * survive a restart exactly; heartbeatTotal, requestLeaseTotal and registerTotal as of the last snapshot.
 */
export interface JobCounters {
  readonly registerTotal: number;
  readonly heartbeatTotal: number;
  readonly requestLeaseTotal: number;
  readonly leasesGrantedTotal: number;
  readonly leasesExpiredTotal: number;
  readonly rangesRequeuedTotal: number;
  readonly progressTotal: number;
  readonly resumeCheckpointAppliedTotal: number;
  readonly resumeCheckpointRejectedTotal: number;
  readonly resumeRangesAppliedTotal: number;
}

export interface NodeView {
  readonly nodeId: NodeId;
  readonly assignedRank: number;
  /** Milliseconds since the coordinator last heard from it, on the coordinator's clock. */
  readonly heartbeatAgeMs: number;
  readonly caps: NodeCaps;
  readonly stats: NodeStats;
  /** An operator asked it to finish or give back what it holds, and to leave. */
  readonly draining: boolean;
  readonly leaseCount: number;
  /** Since it registered and this coordinator leads; null where the coordinator does not tell. */
  readonly deliveredSamples: number | null;
}

/** All live leases, however many of them are listed. */
export interface LeaseSummary {
  readonly count: number;
  readonly stalledCount: number;
  /** The smallest time that a lease has stood still; 0 where there is none. */
  readonly leastStillMs: number;
  /** Some of those that stand still, longest first. */
  readonly stalled: readonly LiveLease[];
}

/** How a job stands, without its nodes and leases. */
export interface JobFigures {
  readonly spec: JobSpec;
  readonly phase: JobPhase;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly jobReady: boolean;
  readonly jobDrained: boolean;
  /** An operator paused it: no further leases are granted. */
  readonly paused: boolean;
  readonly registeredNodes: number;
  readonly availableRanges: number;
  readonly samples: {
    readonly unissued: number;
    readonly leased: number;
    readonly committed: number;
    readonly quarantined: number;
  };
  /** Bytes of the samples that were read for what is committed; 0 where nodes do not tell. */
  readonly inputBytes: number;
  readonly output: { readonly rows: number; readonly bytes: number; readonly pieces: number };
  readonly outputManifestHash: ManifestHash | null;
  readonly counters: JobCounters;
  readonly elastic: ElasticState;
  /** Those that nodes read from, as far as they tell; empty from coordinators that do not. */
  readonly stores: readonly StoreView[];
}

export interface JobSnapshot extends JobFigures {
  readonly type: 'snapshot';
  /** As in `Registered`. */
  readonly jobToken?: string;
  readonly nodes: readonly NodeView[];
  /** All of them unless some were chosen. */
  readonly liveLeases: readonly LiveLease[];
  /** Null where no leases were chosen, or by a coordinator that knows no choice: then all are listed. */
  readonly leases: LeaseSummary | null;
}

export type Reply =
  | Refusal
  /**
   * To a heartbeat, and to a guest: the shares that hold from now on; at hosts that are not named there are none. A
   * guest asks again in `beatMs`.
   */
  | {
      readonly type: 'ok';
      readonly storeShares?: readonly StoreShare[];
      readonly beatMs?: number;
    }
  | { readonly type: 'job_created'; readonly spec: JobSpec; readonly existed: boolean }
  | Registered
  | LeasesGranted
  /**
   * `repeated` is true when the same commit or progress had been applied before. `end` is where the lease
   * ends by now: lower than it was granted when its tail was given to another node; null from a coordinator
   * that does not tell.
   */
  | {
      readonly type: 'accepted';
      readonly cursor: number;
      readonly repeated: boolean;
      readonly end: number | null;
    }
  /**
   * To `renew`, in the order of its leases: where each ends by now, as in `accepted`; null where it is not, or not any
   * more, this node's.
   */
  | { readonly type: 'renewed'; readonly ends: readonly (number | null)[] }
  /** finalizeToken null: not (yet) this node's turn; ask again after waitMs. */
  | {
      readonly type: 'finalize';
      readonly finalizeToken: string | null;
      readonly waitMs: number;
      readonly phase: JobPhase;
      readonly outputManifestHash: ManifestHash | null;
    }
  | JobSnapshot
  | { readonly type: 'operated'; readonly changes: readonly Change[] }
  | { readonly type: 'checkpoint'; readonly bytes: Uint8Array };

/**
 * How nodes that wait for work relieve much slower ones: not at all; by taking leases and tails of leases
 * that nobody has begun; or besides by doing twice what is too short to be split.
 */
export type Relief = 'off' | 'split' | 'double';

/** What a coordinator's process decides by, besides what it is asked. */
export interface Policy {
  readonly relief: Relief;
  /** Most requests in flight at one host of all nodes of all jobs and of guests; null or absent: as many as it gives. */
  readonly storeRequestsMax?: number | null;
  /** Which completed jobs go by themselves; null or absent: none. */
  readonly keepJobs?: JobRetention | null;
  /** Jobs that this process creates whenever they are not there: they are not forgotten. */
  readonly ownJobs?: ReadonlySet<JobId>;
}

/** What the shell passes to `step` besides the command. */
export interface StepContext extends Policy {
  /** The coordinator's monotonic clock. */
  readonly nowMs: MonoMs;
  /** For display, and for how long completed jobs are kept. */
  readonly nowUnixMs: number;
  /** Epoch and slot the records of this step will be appended at, and the next free index in it. */
  readonly epoch: number;
  readonly seq: number;
  readonly nextIndex: number;
}

/** What of the jobs that completed stays. */
export interface JobRetention {
  /** So many that completed last, whatever their age. */
  readonly latest: number;
  /** All that completed less than this ago, on the wall clock. */
  readonly keepMs: number;
}
