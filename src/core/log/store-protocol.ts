/**
 * What the log's state machines ask of a store, and what they hear back. The store is etcd's model:
 * every transaction that changes something gets the next revision, and compares look at revisions.
 * Reads are transactions too, so that what one read shows was true at one moment.
 */
export interface StoredPair {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** True when the revision of the key is this one; 0 stands for a key that is not there. */
export interface StoreCompare {
  readonly key: string;
  readonly target: 'create_revision' | 'mod_revision';
  readonly revision: number;
}

export type StoreOperation =
  | {
      readonly type: 'get';
      readonly key: string;
      readonly endKey?: string;
      readonly limit?: number;
    }
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string; readonly endKey: string };

export interface StoreTransaction {
  readonly compares: readonly StoreCompare[];
  readonly then: readonly StoreOperation[];
  readonly else: readonly StoreOperation[];
}

export interface Transacted {
  readonly type: 'transacted';
  readonly succeeded: boolean;
  readonly revision: number;
  /** What each get of the branch that was done found. */
  readonly found: readonly (readonly StoredPair[])[];
}

export type StoreAnswer =
  | Transacted
  /** It may have been done, may be done later, or never. */
  | { readonly type: 'unknown' }
  /** It was not done and will not be. */
  | { readonly type: 'refused' };

/** What a machine does next. The shell sends the transaction and steps the state with the answer. */
export type Step<State, Result> =
  | { readonly type: 'send'; readonly state: State; readonly transaction: StoreTransaction }
  | { readonly type: 'done'; readonly result: Result };

export function done<Result>(result: Result): { readonly type: 'done'; readonly result: Result } {
  return { type: 'done', result };
}

/** A transaction that only reads. */
export function reading(operations: readonly StoreOperation[]): StoreTransaction {
  return { compares: [], then: operations, else: [] };
}
