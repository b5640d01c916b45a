/** Which leases somebody looks at, as data. */
import type { SampleRange } from '../base/range.ts';
import type { NodeId } from '../base/units.ts';

/** Which live leases a snapshot lists, so that asking for one costs what is looked at. */
export interface LeaseChoice {
  /** Where there are at most so many, all of them, whatever the part. */
  readonly wholeUpTo: number;
  readonly part: LeasePart;
  /** A lease whose cursors stand still for this long counts as stalled. */
  readonly stallMs: number;
}

export type LeasePart =
  /** In order of their first sample: from this place on, so many. */
  | { readonly type: 'places'; readonly from: number; readonly count: number }
  | { readonly type: 'node'; readonly nodeId: NodeId }
  /** Those that hold some of these. */
  | { readonly type: 'samples'; readonly samples: SampleRange };
