/**
 * Which of several coordinators is to lead. Liveness only: an election may be wrong for a while, with
 * two that hold themselves for leaders or none. What is written is kept right by the log, which fences.
 */
export interface CandidateInfo {
  /** Fresh per process start; never used again. */
  readonly who: string;
  /** Where it serves clients: `host:port`, or `https://host:port` with TLS. */
  readonly address: string;
  /** Position in the log up to which it has the state; for display. */
  readonly appliedSeq: number;
}

export interface LeaderInfo {
  readonly who: string;
  readonly address: string;
}

export type Campaign =
  /** This candidate is the leader until `renew` says otherwise or its time is up. */
  { readonly type: 'elected' } | { readonly type: 'led'; readonly leader: LeaderInfo };

/** One candidate's part in the election. Calls reject with `Mx8Error` when the store gives no answer. */
export interface Election {
  /** How long a leader, or a standby's entry, lives without renewal. */
  readonly ttlMs: number;
  /** Enters the candidate; asked to lead, it does so if nobody does. May be repeated. */
  campaign(me: CandidateInfo): Promise<Campaign>;
  /** Renews the candidate's entry and, if it leads, its lead. False: it does not lead (any more). */
  renew(me: CandidateInfo): Promise<boolean>;
  /** Who leads now, as far as is known; null when nobody does. */
  leader(): Promise<LeaderInfo | null>;
  /** Everybody who renewed within the TTL, the leader included. */
  candidates(): Promise<readonly CandidateInfo[]>;
  /** Calls `onChange` soon after the leader changed or went, as far as the store can tell. */
  watch(onChange: () => void): () => void;
  /** Gives up the lead and the entry, so that another leads at once. */
  resign(): Promise<void>;
  close(): Promise<void>;
}
