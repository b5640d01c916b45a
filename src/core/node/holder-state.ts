/** What a node knows of its membership and of the leases it holds. Changed only by `lease-holder.ts`. */
import type { LeaseId, ManifestHash, MonoMs } from '../base/units.ts';
import { addMs } from '../base/units.ts';
import type { JobSpec, Lease } from '../job/protocol.ts';
import type { HolderCall, HolderEffect, NodeOutcome, StagedPiece } from './holder-protocol.ts';
import { Jitter } from '../base/jitter.ts';
import {
  leaseMarginMs,
  LOST_LEASES_MAX,
  renewalIntervalMs,
  reportIntervalMs,
  REQUEST_WAIT_MIN_MS,
} from './limits.ts';

export interface HolderOptions {
  /** Leases to hold at a time at first, 1 to 1024. */
  readonly want: number;
  /** Longest time after which the coordinator is told of what moved; what did not is renewed half as often. */
  readonly progressIntervalMs: number;
  /** Whether this node offers to publish the outputs of a drained job. */
  readonly finalizes: boolean;
  /** Longest wait for a node id that another process still holds; null: a TTL and some. */
  readonly nodeIdBusyMaxMs: number | null;
  /** Seeds the jitter of retries; give every process another. */
  readonly seed: number;
}

/**
 * `working` holds leases · `winding` only finishes what is held · `finalizing` everything is
 * committed, the outputs are being published · `failing` tells the coordinator that the job cannot
 * go on · `leaving` the last call is on its way · `ended` nothing happens any more.
 */
export type HolderMode =
  | { readonly type: 'idle' }
  | { readonly type: 'working' }
  | { readonly type: 'winding'; readonly reason: string }
  | { readonly type: 'finalizing'; readonly step: FinalizeStep }
  | {
      readonly type: 'failing';
      readonly failure: Extract<HolderCall, { type: 'fail_job' }>;
      readonly attempt: number;
      readonly atMs: MonoMs;
    }
  | { readonly type: 'leaving'; readonly outcome: NodeOutcome }
  | { readonly type: 'ended'; readonly outcome: NodeOutcome };

export type FinalizeStep =
  | { readonly type: 'asking'; readonly atMs: MonoMs }
  | { readonly type: 'publishing' }
  | {
      readonly type: 'completing';
      readonly finalizeToken: string;
      readonly outputManifestHash: ManifestHash | null;
    };

export interface CallInFlight {
  readonly call: HolderCall;
  readonly sentAtMs: MonoMs;
  /** Registration it was made under; a failure of an earlier one says nothing of the present. */
  readonly registration: number;
}

/**
 * One lease in hand. It may be worked on while now < deadlineMs; the deadline is counted from before
 * the request or renewal was *sent* that was answered, so it lies before the coordinator's own.
 */
export class HeldLease {
  /** Its range gets shorter when the coordinator gives the tail to another node. */
  lease: Lease;
  /** False until a renewal proves that the lease lives (it was handed over in a late answer). */
  started: boolean;
  deadlineMs: MonoMs;
  /** Furthest cursor the consumer reported, and furthest that the coordinator acknowledged, to a report or commit. */
  delivered: number;
  acknowledged: number;
  /** Furthest cursor that was sent: none before it is ever sent again, as it would be refused. */
  reported: number;
  deliveredSamples: number = 0;
  deliveredBytes: number = 0;
  /** End of the last piece queued; equals `delivered` for jobs without outputs. */
  staged: number;
  readonly pieces: StagedPiece[] = [];
  /**
   * The call of its kind that is under way. A lease that was lost and handed over again is another
   * object here: an answer to a call of its former life says nothing of this one.
   */
  commit: HolderCall | null = null;
  report: HolderCall | null = null;
  renewal: HolderCall | null = null;
  /** When what is new of it is told; without news it says nothing. */
  reportAtMs: MonoMs;
  /** When it is renewed, unless a report or commit does so before. */
  renewAtMs: MonoMs;
  releaseWanted: boolean = false;
  releasing: HolderCall | null = null;

  constructor(lease: Lease, delivered: number, started: boolean, sentAtMs: MonoMs, spec: JobSpec) {
    this.lease = lease;
    this.started = started;
    this.delivered = Math.min(lease.range.end, Math.max(lease.cursor, delivered));
    this.acknowledged = lease.cursor;
    this.reported = lease.cursor;
    this.staged = lease.cursor;
    this.deadlineMs = leaseDeadlineMs(sentAtMs, spec);
    // A lease that is not known to live is asked about at once; who knows that it lives says when.
    this.reportAtMs = sentAtMs;
    this.renewAtMs = sentAtMs;
  }
}

export function leaseDeadlineMs(sentAtMs: MonoMs, spec: JobSpec): MonoMs {
  return addMs(sentAtMs, spec.leaseTtlMs - leaseMarginMs(spec.leaseTtlMs));
}

export class HolderState {
  readonly options: HolderOptions;
  readonly jitter: Jitter;
  mode: HolderMode = { type: 'idle' };
  /** Leases to hold at a time: as in the options until an operator says otherwise. */
  want: number;
  /** True while the coordinator is believed to know this node. */
  member: boolean = false;
  /** Counts registrations; 0 before the first. */
  registration: number = 0;
  registerAttempt: number = 0;
  /** When to register; null while a registration is on its way or none is needed. */
  registerAtMs: MonoMs | null = null;
  /** Since when the coordinator says that another process has this node id. */
  nodeIdBusySinceMs: MonoMs | null = null;
  spec: JobSpec | null = null;
  /** Tells the job from others of its name; null where the coordinator did not say. */
  jobToken: string | null = null;
  jobReady: boolean = false;
  /** Nodes that were there when it was last said that the job waits for more; 0: not said. */
  waitSaidNodes: number = 0;
  nextCallId: number = 1;
  readonly inFlight: Map<number, CallInFlight> = new Map<number, CallInFlight>();
  /** In order of grant. */
  readonly leases: Map<LeaseId, HeldLease> = new Map<LeaseId, HeldLease>();
  /** No lease ends before this; the first may end later, as leases are renewed. */
  firstDeadlineMs: number = Infinity;
  /** Reported cursors of leases lost lately: the coordinator may hand them over again. */
  readonly lost: Map<LeaseId, number> = new Map<LeaseId, number>();
  requestAtMs: MonoMs;
  /** Answers in a row that gave nothing. */
  vainAnswers: number = 0;
  /** There is work, and what is under way may have been answered before there was. */
  hasHeardOfWork: boolean = false;
  requestAttempt: number = 0;
  /** An earlier request may have been granted leases in an answer that never came. */
  requestUnanswered: boolean = false;
  heartbeatAtMs: MonoMs;
  /** False once this coordinator has refused to renew several leases at a time: its version does not know that. */
  renewsTogether: boolean = true;

  constructor(options: HolderOptions, nowMs: MonoMs) {
    this.options = options;
    this.want = options.want;
    this.jitter = new Jitter(options.seed);
    this.requestAtMs = nowMs;
    this.heartbeatAtMs = nowMs;
  }

  /** Once it is registered. */
  get reportIntervalMs(): number {
    return reportIntervalMs(this.options.progressIntervalMs, this.spec?.leaseTtlMs ?? 0);
  }

  /** Once it is registered. */
  get renewalIntervalMs(): number {
    return renewalIntervalMs(this.options.progressIntervalMs, this.spec?.leaseTtlMs ?? 0);
  }

  /** How long to wait after an answer that gave nothing: ever longer where the coordinator tells of work by itself. */
  waitInVainMs(leastMs: number, mostMs: number): number {
    if (this.hasHeardOfWork) {
      this.hasHeardOfWork = false;
      return REQUEST_WAIT_MIN_MS;
    }
    const waitMs = Math.max(leastMs, Math.min(leastMs * 2 ** this.vainAnswers, mostMs));
    this.vainAnswers += 1;
    return waitMs;
  }

  isInFlight(type: HolderCall['type']): boolean {
    for (const { call } of this.inFlight.values()) if (call.type === type) return true;
    return false;
  }

  call<C extends HolderCall>(effects: HolderEffect[], call: C, nowMs: MonoMs): C {
    const callId = this.nextCallId;
    this.nextCallId += 1;
    this.inFlight.set(callId, { call, sentAtMs: nowMs, registration: this.registration });
    effects.push({ type: 'call', callId, call });
    return call;
  }

  /** Forgets the lease and says that work on it stops. */
  lose(effects: HolderEffect[], held: HeldLease, reason: string): void {
    const { leaseId } = held.lease;
    this.leases.delete(leaseId);
    this.lost.set(leaseId, Math.max(held.delivered, held.reported));
    if (this.lost.size > LOST_LEASES_MAX) {
      for (const oldest of this.lost.keys()) {
        this.lost.delete(oldest);
        break;
      }
    }
    if (held.started) effects.push({ type: 'lease_lost', leaseId, reason });
  }

  /** Stops work on a lease that lives but does not take our word, and lets another node try. */
  surrender(effects: HolderEffect[], held: HeldLease, reason: string): void {
    const { leaseId } = held.lease;
    if (held.started) effects.push({ type: 'lease_lost', leaseId, reason });
    held.started = false;
    held.pieces.length = 0;
    held.commit = null;
    held.delivered = held.acknowledged;
    held.releaseWanted = true;
  }

  /** What the lease covers ends at `end` now. Work that went beyond it already cannot be committed. */
  shorten(effects: HolderEffect[], held: HeldLease, end: number): void {
    const { leaseId, range } = held.lease;
    if (end >= range.end) return;
    held.lease = { ...held.lease, range: { start: range.start, end } };
    const fields = { lease_id: leaseId, end, was_end: range.end, delivered: held.delivered };
    effects.push({ type: 'fact', level: 'info', event: 'lease_shortened', fields });
    if (held.delivered > end) this.surrender(effects, held, 'its tail is with another node');
    else if (held.started) effects.push({ type: 'lease_shortened', leaseId, end });
  }

  loseAll(effects: HolderEffect[], reason: string): void {
    for (const held of [...this.leases.values()]) this.lose(effects, held, reason);
  }
}
