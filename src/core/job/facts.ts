/** What happened in a step, as data: nothing is decided by it. */
import type { JobId, LeaseId, ManifestHash, NodeId } from '../base/units.ts';
import type { Tuning } from './operations.ts';
import type { JobPhase } from './protocol.ts';

/** Something that happened, for logs, metrics and pushes. `event` is the name operators grep for. */
export type Fact =
  | { readonly event: 'job_created'; readonly jobId: JobId; readonly sampleCount: number }
  | {
      readonly event: 'node_registered';
      readonly jobId: JobId;
      readonly nodeId: NodeId;
      readonly rank: number;
    }
  | {
      readonly event: 'membership_wait';
      readonly jobId: JobId;
      readonly registeredNodes: number;
      readonly minWorldSize: number;
    }
  | { readonly event: 'job_ready'; readonly jobId: JobId; readonly registeredNodes: number }
  | ({ readonly event: 'lease_granted' } & LeaseFact)
  | ({ readonly event: 'lease_expired'; readonly cursor: number } & LeaseFact)
  /** The node gave it up, was replaced, or the job failed: it must stop work on the lease. */
  | ({
      readonly event: 'lease_revoked';
      readonly cursor: number;
      readonly reason: string;
    } & LeaseFact)
  | ({ readonly event: 'lease_released'; readonly cursor: number } & LeaseFact)
  /** The node is slow: its lease ends at `end` now, and the rest was leased to another. */
  | ({
      readonly event: 'lease_split';
      readonly tailLeaseId: LeaseId;
      readonly tailNodeId: NodeId;
      readonly tailEnd: number;
    } & LeaseFact)
  /** The node is slow: another one works on the rest of its lease too, and the first commit wins. */
  | ({
      readonly event: 'lease_doubled';
      readonly doubleLeaseId: LeaseId;
      readonly doubleNodeId: NodeId;
      readonly cursor: number;
    } & LeaseFact)
  /** The other of a lease and its double has committed: this one ends, and its node stops work on it. */
  | ({
      readonly event: 'lease_superseded';
      readonly cursor: number;
      readonly reason: string;
    } & LeaseFact)
  | ({ readonly event: 'lease_completed' } & LeaseFact)
  | ({ readonly event: 'progress'; readonly cursor: number } & LeaseFact)
  | ({
      readonly event: 'output_committed';
      readonly from: number;
      readonly to: number;
      readonly rows: number;
    } & LeaseFact)
  | ({ readonly event: 'sample_quarantined'; readonly sampleId: number } & LeaseFact)
  | ({
      readonly event: 'cursor_regressed';
      readonly cursor: number;
      readonly reported: number;
    } & LeaseFact)
  | {
      readonly event: 'range_requeued';
      readonly jobId: JobId;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly event: 'rank_released';
      readonly jobId: JobId;
      readonly nodeId: NodeId;
      readonly rank: number;
      readonly reason: string;
    }
  | {
      readonly event: 'world_size_changed';
      readonly jobId: JobId;
      readonly from: number;
      readonly to: number;
      readonly reason: string;
    }
  | {
      readonly event: 'resume_checkpoint_applied';
      readonly jobId: JobId;
      readonly samples: number;
      readonly ranges: number;
    }
  | { readonly event: 'resume_checkpoint_rejected'; readonly jobId: JobId; readonly code: string }
  | {
      readonly event: 'job_drained';
      readonly jobId: JobId;
      readonly committed: number;
      readonly quarantined: number;
    }
  | { readonly event: 'job_draining'; readonly jobId: JobId }
  | { readonly event: 'job_paused'; readonly jobId: JobId }
  | { readonly event: 'job_unpaused'; readonly jobId: JobId }
  /** Its process is known to have ended: what it held is available at once. */
  | {
      readonly event: 'node_died';
      readonly jobId: JobId;
      readonly nodeId: NodeId;
      readonly leases: number;
    }
  /**
   * A store refuses, or answers late: all nodes together ask less of it, those of other jobs too. From null: nothing
   * limited them.
   */
  | {
      readonly event: 'store_budget_lowered';
      readonly jobId: JobId;
      readonly host: string;
      readonly from: number | null;
      readonly to: number;
      readonly refused: number;
      readonly answered: number;
      readonly pauseMs: number;
    }
  | { readonly event: 'node_draining'; readonly jobId: JobId; readonly nodeId: NodeId }
  /** It was told to wait for work, and may ask now. */
  | { readonly event: 'work_waits'; readonly jobId: JobId; readonly nodeId: NodeId }
  | ({ readonly event: 'node_tuned'; readonly jobId: JobId; readonly nodeId: NodeId } & Tuning)
  | { readonly event: 'job_resumed'; readonly jobId: JobId }
  | {
      readonly event: 'job_failed';
      readonly jobId: JobId;
      readonly nodeId: NodeId;
      readonly code: string;
      readonly message: string;
    }
  | { readonly event: 'finalize_granted'; readonly jobId: JobId; readonly nodeId: NodeId }
  | {
      readonly event: 'job_completed';
      readonly jobId: JobId;
      readonly outputManifestHash: ManifestHash | null;
    }
  /** What the coordinator knew of it is gone, and its name is free. What it published stays. */
  | {
      readonly event: 'job_forgotten';
      readonly jobId: JobId;
      readonly why: 'age' | 'operator';
      readonly phase: JobPhase;
    };

export interface LeaseFact {
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  readonly leaseId: LeaseId;
  readonly start: number;
  readonly end: number;
}
