/**
 * A consistent key-value store of several machines, in the model of etcd's v3 API: every write gets the
 * next revision, a transaction decides by revisions, keys can live under a lease. What a log and an
 * election between machines stand on (`shared/design/reliability.md` §2).
 *
 * Keys are text; a range is [key, endKey) in byte order. Revisions are positive whole numbers.
 */
export interface KvPair {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** True when the key's revision equals `revision`; 0 stands for "there is no such key". */
export interface KvCompare {
  readonly key: string;
  readonly target: 'create_revision' | 'mod_revision';
  readonly revision: number;
}

export type KvOperation =
  | {
      readonly type: 'get';
      readonly key: string;
      readonly endKey?: string;
      readonly limit?: number;
    }
  /** With a lease the key goes when the lease does. */
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly leaseId?: string;
    }
  | { readonly type: 'delete'; readonly key: string; readonly endKey?: string };

export interface KvTransaction {
  readonly compares: readonly KvCompare[];
  /** Done, all or nothing, when every compare is true. */
  readonly then: readonly KvOperation[];
  /** Done otherwise. */
  readonly else: readonly KvOperation[];
}

export interface KvTransacted {
  readonly succeeded: boolean;
  /** Of the store after the transaction. */
  readonly revision: number;
  /** What each `get` of the branch that was done found, in order of the gets. */
  readonly found: readonly (readonly KvPair[])[];
}

export interface KvRange {
  readonly pairs: readonly KvPair[];
  readonly revision: number;
  /** There are further keys beyond the limit. */
  readonly more: boolean;
}

export interface KvChange {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: Uint8Array;
  readonly modRevision: number;
}

/**
 * A call that failed. `isDecided` false: what it asked for may have been done, may still be done, or may
 * never be; whoever must know reads again. A call of which it is known that it did nothing has true.
 */
export class KvError extends Error {
  readonly isDecided: boolean;
  /** Asking again later may help: the store is away, busy, or electing. */
  readonly retryable: boolean;

  constructor(
    message: string,
    options: { readonly isDecided: boolean; readonly retryable: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'KvError';
    this.isDecided = options.isDecided;
    this.retryable = options.retryable;
  }
}

export interface KvStore {
  /** Linearizable. Rejects with `KvError`. */
  transact(transaction: KvTransaction): Promise<KvTransacted>;
  /** Linearizable, in order of keys. `limit` 0 or absent: all. Rejects with `KvError`. */
  range(key: string, endKey: string | null, limit?: number): Promise<KvRange>;
  /** A lease that ends `ttlMs` after its last renewal. The store may give more time than was asked for. */
  grantLease(ttlMs: number): Promise<{ readonly leaseId: string; readonly ttlMs: number }>;
  /** False when the lease has ended. Rejects with `KvError` when nobody answered. */
  renewLease(leaseId: string): Promise<boolean>;
  /** Ends the lease and deletes its keys. One that has ended already is no error. */
  revokeLease(leaseId: string): Promise<void>;
  /**
   * Calls `onChanges` with what changes in [key, endKey) from now on, as far as the connection holds;
   * `onGap` when changes may have been missed (read again). Returns what ends it.
   */
  watch(
    key: string,
    endKey: string | null,
    onChanges: (changes: readonly KvChange[]) => void,
    onGap: () => void,
  ): () => void;
  close(): Promise<void>;
}
