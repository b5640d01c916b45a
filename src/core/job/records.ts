/**
 * What became true, in the order it did: the coordinator's log. Applying the records of every entry in
 * order gives the state. A record says everything that its application needs, so that replay asks no
 * question which the live path answered (no choice of range, no clock, no chance).
 */
import type { JobId, LeaseId, ManifestHash, NodeId } from '../base/units.ts';
import type { Tuning } from './operations.ts';
import type { JobSpec, NodeCaps } from './protocol.ts';

interface OfJob {
  readonly job: JobId;
}

interface OfLease extends OfJob {
  readonly lease: LeaseId;
}

export type JobRecord =
  /** Since version 4 the job's token is this record's own position in the log. */
  | { readonly type: 'job_created'; readonly spec: JobSpec; readonly hasToken?: true }
  /** The job takes the id that its first node named. */
  | ({ readonly type: 'job_adopted'; readonly newJob: JobId } & OfJob)
  | ({
      readonly type: 'node_registered';
      readonly node: NodeId;
      readonly instance: string | null;
      readonly rank: number;
      readonly caps: NodeCaps;
      /** Wall clock, display only. */
      readonly atUnixMs: number;
    } & OfJob)
  | ({
      readonly type: 'rank_released';
      readonly node: NodeId;
      readonly reason: string;
      readonly atUnixMs: number;
    } & OfJob)
  /** The membership barrier was passed; it is passed once. */
  | ({ readonly type: 'job_ready' } & OfJob)
  /** The new lease's id is this record's own position in the log. */
  | ({
      readonly type: 'lease_granted';
      readonly node: NodeId;
      readonly start: number;
      readonly end: number;
    } & OfJob)
  /**
   * The lease ends at `at` from now on, and what follows is leased to another node. The new lease's id is
   * this record's own position in the log. Since version 3.
   */
  | ({ readonly type: 'lease_split'; readonly at: number; readonly node: NodeId } & OfLease)
  /**
   * What is left of the lease is worked on a second time, by another node. The double's id is this
   * record's own position in the log. Since version 3.
   */
  | ({ readonly type: 'lease_doubled'; readonly node: NodeId } & OfLease)
  /** Of a lease and its double this one ends, and the other holds what is left. Since version 3. */
  | ({
      readonly type: 'lease_superseded';
      readonly by: LeaseId;
      readonly why: 'overtaken' | 'expired' | 'released' | 'revoked';
    } & OfLease)
  | ({ readonly type: 'progress'; readonly cursor: number } & OfLease)
  | ({
      readonly type: 'committed';
      readonly start: number;
      readonly end: number;
      readonly rows: number;
      readonly bytes: number;
      /** Absent where the node did not tell, and in entries of versions that did not ask. */
      readonly inputBytes?: number;
      readonly quarantined: readonly number[];
    } & OfLease)
  /** The lease ended before its range did; what is after the cursor is available again. */
  | ({
      readonly type: 'lease_returned';
      readonly why: 'expired' | 'released' | 'revoked';
    } & OfLease)
  /** Flat pairs start, end of what a checkpoint says is done. */
  | ({ readonly type: 'resume_applied'; readonly done: readonly number[] } & OfJob)
  | ({ readonly type: 'job_failed'; readonly code: string; readonly message: string } & OfJob)
  | ({ readonly type: 'job_draining' } & OfJob)
  | ({ readonly type: 'job_paused' } & OfJob)
  | ({ readonly type: 'job_unpaused' } & OfJob)
  | ({ readonly type: 'node_draining'; readonly node: NodeId } & OfJob)
  /** Caps that are not null in it hold from now on; of a job, for all nodes and those that come. */
  | ({ readonly type: 'node_tuned'; readonly node: NodeId; readonly tuning: Tuning } & OfJob)
  | ({ readonly type: 'job_tuned'; readonly tuning: Tuning } & OfJob)
  | ({ readonly type: 'job_resumed' } & OfJob)
  /** The order is dealt to this many ranks from now on; no node holds a rank at this moment. */
  | ({ readonly type: 'world_size_set'; readonly worldSize: number } & OfJob)
  /** The token is this record's own position in the log. */
  | ({ readonly type: 'finalize_granted'; readonly node: NodeId } & OfJob)
  | ({
      readonly type: 'job_completed';
      readonly outputManifestHash: ManifestHash | null;
      /** Wall clock: how long it is kept counts from here. Absent before version 4. */
      readonly atUnixMs?: number;
    } & OfJob)
  /** The job is gone, and its name is free. Since version 4. */
  | ({
      readonly type: 'job_forgotten';
      readonly why: 'age' | 'operator';
      readonly atUnixMs: number;
    } & OfJob);
