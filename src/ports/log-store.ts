/**
 * The coordinator's durable log: one value per slot, written by one claimed leader at a time.
 * Slots are numbered from 1; slot `seq` holds one batch of records, appended and made durable as a
 * whole. `shared/design/reliability.md` §2 has the rules; `src/log/conformance.ts` tests them on
 * every back end.
 */
export interface LogEntry {
  readonly seq: number;
  readonly epoch: number;
  /** Encoded records of one batch; opaque to the store. Empty for a claim entry. */
  readonly payload: Uint8Array;
}

export interface LoadedLog {
  /** State after entry `snapshotSeq`, or null when there is no snapshot (then `snapshotSeq` is 0). */
  readonly snapshot: Uint8Array | null;
  readonly snapshotSeq: number;
  /**
   * Entries after the snapshot, in order, without gaps. They end before `tailSeq` when a leader trims
   * them while they are read; `follow` then says `trimmed`.
   */
  readonly entries: AsyncIterable<LogEntry> | Iterable<LogEntry>;
  /** Seq of the last entry; 0 when the log is empty. */
  readonly tailSeq: number;
  /** The highest epoch claimed so far; 0 when none was. */
  readonly epoch: number;
  /** Entries up to and including this seq may be gone. */
  readonly trimmedSeq: number;
}

export type ClaimResult =
  | { readonly type: 'won'; readonly epoch: number; readonly tailSeq: number }
  | { readonly type: 'lost'; readonly epoch: number; readonly holder: string };

export type AppendResult =
  | { readonly type: 'ok' }
  /** A higher epoch was claimed, or the slot is not the tail: this writer leads no more. */
  | { readonly type: 'fenced'; readonly epoch: number };

/** What a standby reads to keep up. */
export type FollowedLog =
  | {
      readonly type: 'entries';
      /** From the one after `afterSeq` on, in order, without gaps; bounded, so ask again from its last. */
      readonly entries: readonly LogEntry[];
      readonly tailSeq: number;
    }
  /** The entry after `afterSeq` may be gone: load the snapshot anew. */
  | { readonly type: 'trimmed'; readonly trimmedSeq: number };

export interface LogStore {
  load(): Promise<LoadedLog>;
  /** Entries after `afterSeq`, for whoever holds the state up to there. */
  follow(afterSeq: number): Promise<FollowedLog>;
  /** Calls `onTail` soon after entries were added, as far as the store can tell. Returns what ends that. */
  watch(onTail: () => void): () => void;
  /** Takes leadership by writing an epoch entry at slot `tailSeq + 1`. `who` is fresh per process. */
  claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult>;
  /**
   * Makes `payload` durable at slot `seq` under `epoch`. Never answers "maybe": an unknown outcome is
   * resolved on that same slot first (`nonce` tells this writer's bytes from another's).
   */
  append(seq: number, epoch: number, payload: Uint8Array, nonce: string): Promise<AppendResult>;
  /** Makes `state` the snapshot after entry `upToSeq`; fenced like an append. */
  snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult>;
  /** Moves the trim boundary to `upToSeq` (at most the snapshot's seq), then deletes what is below. */
  trim(upToSeq: number, epoch: number): Promise<AppendResult>;
  /**
   * Fenced when a higher epoch was claimed before this call began; `ok` says that none was at a moment
   * between the call and its answer. Writes nothing; fails with `store_unavailable` when nobody can say.
   */
  confirm(epoch: number): Promise<AppendResult>;
  close(): Promise<void>;
}
