/** What a coordinator knows of itself, for metrics and pages of the same process. */
import type { Histogram } from '../core/base/histogram.ts';
import type { MonoMs, UnixMs } from '../core/base/units.ts';
import type { JobDigest } from '../core/job/coordinator.ts';
import type { CoordinatorView } from './coordinator-client.ts';
import type { EventLevel } from './event-sink.ts';

/** How all of it stood at one moment. */
export interface CoordinatorLook {
  readonly atMs: MonoMs;
  readonly atUnixMs: UnixMs;
  readonly view: CoordinatorView;
  /** Of a standby: as far as it has read the log, without what is volatile. */
  readonly jobs: readonly JobDigest[];
}

export interface RecentEvent {
  readonly atUnixMs: UnixMs;
  readonly level: EventLevel;
  /** As operators grep for it. */
  readonly event: string;
  /** '' where it is of no job. */
  readonly jobId: string;
  /** `name=value` of its first occurrence. */
  readonly text: string;
  /** How often the same happened within the same second. */
  readonly count: number;
}

export interface CoordinatorMeters {
  /** Seconds that calls took, by `method` and `code`. */
  readonly rpcSeconds: ReadonlyMap<string, RpcSeries>;
  /** Seconds until an entry of the log was durable. */
  readonly appendSeconds: Histogram;
  /** Commands that shared one turn of the writer, and records that shared one entry. */
  readonly batchCommands: Histogram;
  readonly entryRecords: Histogram;
  /** Jobs that went, by age and by the word of an operator, since this process began. */
  readonly jobsForgotten: { readonly age: number; readonly operator: number };
}

export interface RpcSeries {
  readonly method: string;
  readonly code: string;
  readonly seconds: Histogram;
}

export interface CoordinatorInsight {
  readonly meters: CoordinatorMeters;
  /** Oldest first; bounded. */
  readonly recentEvents: readonly RecentEvent[];
  /** How it stands now; the cost grows with the nodes, and with the leases by some nanoseconds each. */
  look(): Promise<CoordinatorLook>;
}
