/**
 * What goes into and comes out of the lease holder (`lease-holder.ts`), as data. Every event carries
 * the node's own monotonic time at which it happened.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { LeaseId, ManifestHash, MonoMs } from '../base/units.ts';
import type { JobPhase, Lease, LeasesGranted, Registered } from '../job/protocol.ts';

/** Output of samples [start, end) of a lease, staged durably and ready to be committed. */
export interface StagedPiece {
  readonly leaseId: LeaseId;
  readonly start: number;
  readonly end: number;
  readonly rows: number;
  readonly bytes: number;
  /** Of the samples that were read for it; absent where nobody counted. */
  readonly inputBytes?: number;
  /** Ascending sample ids without output, listed with their errors beside it. */
  readonly quarantined: readonly number[];
}

/** A call the shell makes at the coordinator; it answers with `answered` or `call_failed`. */
export type HolderCall =
  /** `known`: what an earlier registration told of the job. */
  | { readonly type: 'register'; readonly known?: { readonly jobToken: string } }
  | { readonly type: 'heartbeat' }
  /** `want` leases in all, of which `held` are known. */
  | {
      readonly type: 'request_leases';
      readonly want: number;
      readonly held: readonly LeaseId[];
    }
  | {
      readonly type: 'progress';
      readonly leaseId: LeaseId;
      readonly cursor: number;
      readonly deliveredSamples: number;
      readonly deliveredBytes: number;
    }
  /** Leases of which nothing else is to be told. */
  | { readonly type: 'renew'; readonly leaseIds: readonly LeaseId[] }
  | { readonly type: 'commit'; readonly piece: StagedPiece }
  | { readonly type: 'release'; readonly leaseId: LeaseId }
  | { readonly type: 'request_finalize' }
  | {
      readonly type: 'complete_job';
      readonly finalizeToken: string;
      readonly outputManifestHash: ManifestHash | null;
    }
  | {
      readonly type: 'fail_job';
      readonly code: ErrorCode;
      readonly message: string;
      /** Of the job that failed: it is told to no other one of that name. */
      readonly jobToken?: string;
    }
  | { readonly type: 'leave' };

export type HolderAnswer =
  | Registered
  | LeasesGranted
  | {
      readonly type: 'accepted';
      readonly cursor: number;
      readonly repeated: boolean;
      /** Where the lease ends by now; null where a coordinator does not tell. */
      readonly end: number | null;
    }
  /** For each of the leases where it ends by now; null: it is not this node's any more. */
  | { readonly type: 'renewed'; readonly ends: readonly (number | null)[] }
  | {
      readonly type: 'finalize';
      readonly finalizeToken: string | null;
      readonly waitMs: number;
      readonly phase: JobPhase;
      readonly outputManifestHash: ManifestHash | null;
    }
  | { readonly type: 'ok' };

export type HolderEvent = { readonly nowMs: MonoMs } & (
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  | { readonly type: 'answered'; readonly callId: number; readonly answer: HolderAnswer }
  | {
      readonly type: 'call_failed';
      readonly callId: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  // What the coordinator says unasked.
  | { readonly type: 'lease_revoked'; readonly leaseId: LeaseId; readonly reason: string }
  /** Hold so many leases at a time from now on; those held beyond it are finished. */
  | { readonly type: 'want'; readonly want: number }
  | { readonly type: 'job_failed'; readonly code: string; readonly message: string }
  /** Whoever waits for work may ask now. */
  | { readonly type: 'work_waits' }
  | { readonly type: 'disconnected'; readonly message?: string }
  | { readonly type: 'connected' }
  // What the consumer says.
  /** Everything of the lease below `cursor` has been delivered. */
  | {
      readonly type: 'delivered';
      readonly leaseId: LeaseId;
      readonly cursor: number;
      readonly samples: number;
      readonly bytes: number;
    }
  /** Only for jobs that commit outputs; pieces of a lease follow each other without gaps. */
  | { readonly type: 'piece_staged'; readonly piece: StagedPiece }
  /** No more will be done on the lease: give the rest back once what was staged is committed. */
  | { readonly type: 'release'; readonly leaseId: LeaseId }
  /** Ask for no further lease; what is held may still be finished or released. */
  | { readonly type: 'stop_requesting' }
  /** Everything is over for this node: give up what is held, leave, end with this outcome. */
  | { readonly type: 'leave'; readonly outcome: NodeOutcome }
  /** The job cannot go on: say so to the coordinator until it has answered, then leave. */
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly message: string }
  /** The outputs of the drained job are published (after `finalize_granted`). */
  | {
      readonly type: 'finalized';
      readonly finalizeToken: string;
      readonly outputManifestHash: ManifestHash | null;
    }
);

/** How the node's part in the job ended. */
export type NodeOutcome =
  | { readonly type: 'completed'; readonly outputManifestHash: ManifestHash | null }
  /** It left before the job was complete: asked to by a person or by the coordinator. */
  | { readonly type: 'drained'; readonly reason: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'stopped' };

export type FactFields = Readonly<Record<string, string | number | boolean | null>>;

/** Something for logs; `event` is the name that operators grep for. */
export interface NodeFact {
  readonly type: 'fact';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: FactFields;
}

export type HolderEffect =
  | { readonly type: 'call'; readonly callId: number; readonly call: HolderCall }
  | { readonly type: 'registered'; readonly answer: Registered }
  /** Work on [lease.cursor, lease.range.end) may begin. */
  | { readonly type: 'lease_started'; readonly lease: Lease }
  /** Work on the lease must stop now: nothing of it can count any more. */
  | { readonly type: 'lease_lost'; readonly leaseId: LeaseId; readonly reason: string }
  /** The lease ends at `end` now: what follows is another node's. Only of jobs that commit outputs. */
  | { readonly type: 'lease_shortened'; readonly leaseId: LeaseId; readonly end: number }
  /** Everything of the lease is committed (or reported, for a job without outputs). */
  | { readonly type: 'lease_finished'; readonly leaseId: LeaseId }
  | { readonly type: 'lease_released'; readonly leaseId: LeaseId }
  /** The coordinator has it durably; it may come more than once for one piece. */
  | { readonly type: 'piece_committed'; readonly piece: StagedPiece; readonly repeated: boolean }
  /** Publish what is left of the outputs, then send `finalized`. */
  | { readonly type: 'finalize_granted'; readonly finalizeToken: string }
  | { readonly type: 'ended'; readonly outcome: NodeOutcome }
  | NodeFact;
