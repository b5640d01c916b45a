/**
 * What an agent or a loader needs of a coordinator. One implementation speaks gRPC (`src/wire/`),
 * one calls a coordinator in this process (`src/testing/`). Every call ends in an answer or an
 * `Mx8Error`; `coordinator_unavailable` (retryable) stands for every fault of the way there. An
 * implementation reconnects by itself; repeating any call is safe.
 */
import type { ErrorCode } from '../core/base/errors.ts';
import type { JobId, LeaseId, ManifestHash, NodeId } from '../core/base/units.ts';
import type {
  CommittedPiece,
  JobSnapshot,
  JobSpec,
  LeaseChoice,
  LeasesGranted,
  NodeCaps,
  NodeStats,
  Registered,
} from '../core/job/protocol.ts';
import type { Change, Operation, Tuning } from '../core/job/operations.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import type { CandidateInfo, LeaderInfo } from './election.ts';

export interface NodeIdentity {
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  /** Fresh per process. */
  readonly instanceId: string;
}

/** What the coordinator says unasked, on the session. */
export type Push =
  /** Stop work on the lease; what was committed stays. */
  | { readonly type: 'lease_revoked'; readonly leaseId: LeaseId; readonly reason: string }
  /** Finish or release what is held, then leave. */
  | { readonly type: 'drain'; readonly reason: string }
  /** Work within these caps from now on; null leaves one as the node was started. */
  | { readonly type: 'tuned'; readonly tuning: Tuning }
  | { readonly type: 'job_failed'; readonly code: string; readonly message: string }
  /** Whoever was told to wait may ask now. */
  | { readonly type: 'work_waits' }
  /** The session broke; the client is reconnecting. Register again once it is back. */
  | { readonly type: 'disconnected'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'connected' };

export interface Accepted {
  readonly cursor: number;
  readonly repeated: boolean;
  /** Where the lease ends by now; null where a coordinator of an older version does not tell. */
  readonly end: number | null;
}

/** What a process that is no node may do at stores. */
export interface SharedStores {
  readonly storeShares: readonly StoreShare[];
  /** When it is to say again what it does there. */
  readonly beatMs: number;
}

export interface FinalizeAnswer {
  readonly finalizeToken: string | null;
  readonly waitMs: number;
  readonly phase: JobSnapshot['phase'];
  readonly outputManifestHash: ManifestHash | null;
}

/** What a coordinator says of itself and of those beside it. */
export interface CoordinatorView {
  readonly role: 'leader' | 'standby';
  /** Names the process; fresh per start. */
  readonly who: string;
  readonly address: string;
  /** Where it shows its page; null where it shows none. */
  readonly webUrl: string | null;
  /** Null when nobody is known to lead. */
  readonly leader: LeaderInfo | null;
  /** How many times the lead was taken, restarts included. */
  readonly epoch: number;
  /** The last entry of the log whose effects this process has, and the last of the log. */
  readonly appliedSeq: number;
  readonly tailSeq: number;
  /** Since when the answering process leads, on its wall clock; null when it does not. */
  readonly leadsSinceUnixMs: number | null;
  /** Everybody who could lead, this process included. */
  readonly candidates: readonly CandidateInfo[];
  /** Why the store of the state does not answer it: `candidates` is empty then. '' where it does. */
  readonly storeError: string;
  /** Its wall clock when it answered, and the version of mx8 that it runs; '' when it does not say. */
  readonly serverUnixMs: number;
  readonly version: string;
}

export interface CoordinatorClient {
  onPush(listener: (push: Push) => void): void;
  /** `jobToken`: as the first answer told it, so that the node is let in to no other job of that name. */
  register(
    node: NodeIdentity & { readonly jobToken?: string },
    caps: NodeCaps,
    resumeFrom: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Registered>;
  /** `stores` absent: the node does not go by shares. The answer has those that hold from now on. */
  heartbeat(
    node: NodeIdentity,
    stats: NodeStats,
    stores?: readonly StoreReport[],
  ): Promise<readonly StoreShare[]>;
  /** See `request_lease` in the protocol: `want` leases in all, of which `held` are known. */
  requestLeases(
    node: NodeIdentity,
    want: number,
    held: readonly LeaseId[],
    signal?: AbortSignal,
  ): Promise<LeasesGranted>;
  reportProgress(
    node: NodeIdentity,
    report: {
      readonly leaseId: LeaseId;
      readonly cursor: number;
      readonly deliveredSamples: number;
      readonly deliveredBytes: number;
    },
  ): Promise<Accepted>;
  /** See `renew` in the protocol: where each of these ends by now; null: it is not the node's any more. */
  renew(node: NodeIdentity, leaseIds: readonly LeaseId[]): Promise<readonly (number | null)[]>;
  commit(
    node: NodeIdentity,
    output: {
      readonly leaseId: LeaseId;
      readonly start: number;
      readonly end: number;
      readonly rows: number;
      readonly bytes: number;
      readonly inputBytes?: number;
      readonly quarantined: readonly number[];
    },
  ): Promise<Accepted>;
  release(node: NodeIdentity, leaseId: LeaseId): Promise<void>;
  leave(node: NodeIdentity): Promise<void>;
  /** `jobToken`: as in `register`. */
  failJob(
    node: NodeIdentity & { readonly jobToken?: string },
    code: string,
    message: string,
  ): Promise<void>;
  requestFinalize(node: NodeIdentity): Promise<FinalizeAnswer>;
  completeJob(
    node: NodeIdentity,
    finalizeToken: string,
    outputManifestHash: ManifestHash | null,
  ): Promise<void>;
  /** Records [start, end) of the job's manifest, checked against the slice asked for. */
  manifestRecords(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<readonly SampleRecord[]>;
  /** Every committed piece of the job in order of `start`, in chunks. */
  committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]>;
  submitJob(spec: JobSpec): Promise<{ readonly spec: JobSpec; readonly existed: boolean }>;
  resumeJob(jobId: JobId): Promise<void>;
  drainJob(jobId: JobId): Promise<void>;
  /** What an operator wants of a live job; what changed, or with `dryRun` what would. */
  operate(jobId: JobId, operation: Operation, dryRun: boolean): Promise<readonly Change[]>;
  /** With all live leases, or those that are chosen. */
  snapshot(jobId: JobId, leases?: LeaseChoice): Promise<JobSnapshot>;
  checkpoint(jobId: JobId): Promise<Uint8Array>;
  /** Of a process that is no node; where `stores` does not name a host it does nothing. */
  shareStores(
    guestId: NodeId,
    stores: readonly StoreReport[],
    signal?: AbortSignal,
  ): Promise<SharedStores>;
  listJobs(): Promise<readonly JobSnapshot[]>;
  /** Of the coordinator that leads if it can be reached, else of any that answers. */
  coordinator(): Promise<CoordinatorView>;
  close(): Promise<void>;
}
