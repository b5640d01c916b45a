/** What an operator may do to a live job, and what an operation says that it changed. */
import type { NodeId } from '../base/units.ts';

/** Caps of a node that can be moved while it works; null: as the node was started. */
export interface Tuning {
  /** Leases held at a time. */
  readonly want: number | null;
  /** Bytes in flight, all workers of the node together. */
  readonly maxInflightBytes: number | null;
  readonly prefetchBatches: number | null;
  readonly maxQueueBatches: number | null;
}

export const UNTUNED: Tuning = {
  want: null,
  maxInflightBytes: null,
  prefetchBatches: null,
  maxQueueBatches: null,
};

export type Operation =
  /** The node finishes or gives back what it holds, and leaves; null: all nodes, and the job with them. */
  | { readonly type: 'drain'; readonly nodeId: NodeId | null }
  /** Takes leases away at once; their unfinished part goes to others. Either one lease or a node's. */
  | { readonly type: 'release_lease'; readonly leaseId: string }
  /** The node's leases, and its rank: for a node that is known to be dead. */
  | { readonly type: 'release_node'; readonly nodeId: NodeId }
  /** No further leases until it is resumed; what is held goes on. */
  | { readonly type: 'pause' }
  /** Ends a pause or a drain, or lets a failed job go on. */
  | { readonly type: 'resume' }
  /**
   * The job goes, with all that the coordinator knows of it. Only of one that is over, or was given up. With the token
   * that a snapshot told of it: no other one of its name goes, and asked again there is nothing to change.
   */
  | { readonly type: 'forget'; readonly jobToken?: string }
  /** Moves caps of one node, or of all and of those that come; null leaves a cap as it is. */
  | { readonly type: 'tune'; readonly nodeId: NodeId | null; readonly tuning: Tuning };

/** One thing that changed, or with a dry run would have. */
export interface Change {
  /** Such as `node n1 want`, `lease 1.4.0`, `job`. */
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

/** A cap is raised to at most this many times what it is, at a time: then one looks before going on. */
export const RAISE_FACTOR_MAX = 2;

/** Most leases, and batches, that a cap may name. */
export const TUNING_MAX: Readonly<Record<keyof Tuning, number>> = {
  want: 1024,
  maxInflightBytes: Number.MAX_SAFE_INTEGER,
  prefetchBatches: 1024,
  maxQueueBatches: 1024,
};

/** The caps after a change: what the change leaves open stays. */
export function mergedTuning(before: Tuning, change: Tuning): Tuning {
  return {
    want: change.want ?? before.want,
    maxInflightBytes: change.maxInflightBytes ?? before.maxInflightBytes,
    prefetchBatches: change.prefetchBatches ?? before.prefetchBatches,
    maxQueueBatches: change.maxQueueBatches ?? before.maxQueueBatches,
  };
}

export function isUntuned(tuning: Tuning): boolean {
  return Object.values(tuning).every((value) => value === null);
}
