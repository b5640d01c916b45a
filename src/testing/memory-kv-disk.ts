/**
 * The store behind `MemoryKv`: etcd's model, in memory, synchronous and without chance. Every
 * transaction that changes something gets the next revision; a transaction that changes nothing gets
 * none. It refuses what etcd with its default settings refuses. Keys are ASCII. What it hands out is what
 * it holds: nobody may change those bytes.
 *
 * Leases end by the clock that was given, if one was, and by `expireLease`.
 */
import { assert, must } from '../core/base/assert.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import {
  type KvChange,
  type KvCompare,
  KvError,
  type KvOperation,
  type KvPair,
  type KvRange,
  type KvTransacted,
  type KvTransaction,
} from '../ports/kv-store.ts';

/** etcd's `--max-request-bytes` and `--max-txn-ops`, as they are by default. */
export const REQUEST_BYTES_MAX: number = 1.5 * 1024 ** 2;
export const TRANSACTION_OPERATIONS_MAX = 128;

interface StoredPair extends KvPair {
  readonly leaseId: string | null;
}

interface StoredLease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  timer: TimerHandle | null;
}

export type ChangeListener = (changes: readonly KvChange[]) => void;

export class MemoryKvDisk {
  readonly #clock: Clock | null;
  readonly #pairs = new Map<string, StoredPair>();
  /** The keys of `#pairs`, in order. */
  readonly #keys: string[] = [];
  readonly #leases = new Map<string, StoredLease>();
  readonly #listeners = new Set<ChangeListener>();
  #revision = 1;
  #leasesGranted = 0;

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? null;
  }

  get revision(): number {
    return this.#revision;
  }

  transact(transaction: KvTransaction): KvTransacted {
    this.#checkLimits(transaction);
    const succeeded = transaction.compares.every((compare) => this.#holds(compare));
    const branch = succeeded ? transaction.then : transaction.else;
    this.#checkBranch(branch);
    const revision = this.#revision + 1;
    const changes: KvChange[] = [];
    const found: (readonly KvPair[])[] = [];
    for (const operation of branch) {
      switch (operation.type) {
        case 'get':
          found.push(this.#pairsIn(operation.key, operation.endKey ?? null, operation.limit ?? 0));
          break;
        case 'put': {
          const { key, leaseId = null } = operation;
          const value = operation.value.slice();
          this.#put(key, value, leaseId, revision);
          changes.push({ type: 'put', key, value, modRevision: revision });
          break;
        }
        case 'delete':
          for (const key of this.#keysIn(operation.key, operation.endKey ?? null)) {
            this.#delete(key);
            changes.push(deletion(key, revision));
          }
          break;
        default:
          operation satisfies never;
      }
    }
    this.#tell(changes, revision);
    return { succeeded, revision: this.#revision, found };
  }

  range(key: string, endKey: string | null, limit = 0): KvRange {
    const pairs = this.#pairsIn(key, endKey, limit);
    const more = limit > 0 && this.#keysIn(key, endKey).length > limit;
    return { pairs, revision: this.#revision, more };
  }

  grantLease(ttlMs: number): string {
    this.#leasesGranted += 1;
    const leaseId = `lease-${this.#leasesGranted}`;
    const lease: StoredLease = { ttlMs, keys: new Set(), timer: null };
    this.#leases.set(leaseId, lease);
    this.#startTimer(leaseId, lease);
    return leaseId;
  }

  renewLease(leaseId: string): boolean {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return false;
    this.#startTimer(leaseId, lease);
    return true;
  }

  /** Ends the lease as its time or its revocation does: its keys go in one revision. */
  expireLease(leaseId: string): void {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return;
    lease.timer?.clear();
    this.#leases.delete(leaseId);
    const revision = this.#revision + 1;
    const changes = [...lease.keys].sort().map((key) => deletion(key, revision));
    for (const change of changes) this.#delete(change.key);
    this.#tell(changes, revision);
  }

  liveLeases(): readonly string[] {
    return [...this.#leases.keys()];
  }

  /** Calls `listener` within each change, once it is made. Returns what ends that. */
  listen(listener: ChangeListener): () => void {
    const own: ChangeListener = (changes) => listener(changes);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  #startTimer(leaseId: string, lease: StoredLease): void {
    lease.timer?.clear();
    const expire = (): void => this.expireLease(leaseId);
    lease.timer = this.#clock?.setTimer(lease.ttlMs, expire, { unref: true }) ?? null;
  }

  #tell(changes: readonly KvChange[], revision: number): void {
    if (changes.length === 0) return;
    this.#revision = revision;
    for (const listener of this.#listeners) listener(changes);
  }

  #holds(compare: KvCompare): boolean {
    const pair = this.#pairs.get(compare.key);
    const revision =
      compare.target === 'create_revision' ? pair?.createRevision : pair?.modRevision;
    return (revision ?? 0) === compare.revision;
  }

  #put(key: string, value: Uint8Array, leaseId: string | null, revision: number): void {
    const before = this.#pairs.get(key);
    if (before === undefined) {
      assert(/^[\x20-\x7e]+$/.test(key), () => `the key ${JSON.stringify(key)} is ASCII`);
      this.#keys.splice(this.#placeOf(key), 0, key);
    }
    this.#leaseOf(before)?.keys.delete(key);
    const createRevision = before?.createRevision ?? revision;
    const pair = { key, value, createRevision, modRevision: revision, leaseId };
    this.#pairs.set(key, pair);
    this.#leaseOf(pair)?.keys.add(key);
  }

  #delete(key: string): void {
    const before = this.#pairs.get(key);
    this.#leaseOf(before)?.keys.delete(key);
    this.#pairs.delete(key);
    this.#keys.splice(this.#placeOf(key), 1);
  }

  #leaseOf(pair: StoredPair | undefined): StoredLease | null {
    return this.#leases.get(pair?.leaseId ?? '') ?? null;
  }

  /** Index of the first key at or after `key`. */
  #placeOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #keysIn(key: string, endKey: string | null): readonly string[] {
    if (endKey === null) return this.#pairs.has(key) ? [key] : [];
    return this.#keys.slice(this.#placeOf(key), this.#placeOf(endKey));
  }

  #pairsIn(key: string, endKey: string | null, limit: number): readonly KvPair[] {
    const keys = this.#keysIn(key, endKey);
    return (limit > 0 ? keys.slice(0, limit) : keys).map((each) =>
      must(this.#pairs.get(each), 'the key is there'),
    );
  }

  #checkLimits(transaction: KvTransaction): void {
    const { compares, then } = transaction;
    const most = Math.max(compares.length, then.length, transaction.else.length);
    if (most > TRANSACTION_OPERATIONS_MAX) {
      throw refusal(`too many operations in a transaction: ${most}`);
    }
    const bytes = bytesOf(then) + bytesOf(transaction.else);
    if (bytes > REQUEST_BYTES_MAX) throw refusal(`the request is too large: ${bytes} bytes`);
  }

  #checkBranch(branch: readonly KvOperation[]): void {
    const puts = new Set<string>();
    for (const operation of branch) {
      if (operation.type !== 'put') continue;
      if (puts.has(operation.key)) throw refusal(`the key ${operation.key} is put twice`);
      puts.add(operation.key);
      if (operation.leaseId !== undefined && !this.#leases.has(operation.leaseId)) {
        throw refusal(`there is no lease ${operation.leaseId}`);
      }
    }
    for (const operation of branch) {
      if (operation.type !== 'delete') continue;
      const { key, endKey } = operation;
      const isPut = (put: string): boolean =>
        endKey === undefined ? put === key : put >= key && put < endKey;
      if ([...puts].some(isPut)) throw refusal(`the key ${key} is put and deleted`);
    }
  }
}

function bytesOf(operations: readonly KvOperation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    bytes += operation.key.length + (operation.type === 'put' ? operation.value.length : 0);
  }
  return bytes;
}

function deletion(key: string, modRevision: number): KvChange {
  return { type: 'delete', key, value: new Uint8Array(0), modRevision };
}

function refusal(message: string): KvError {
  return new KvError(message, { isDecided: true, retryable: false });
}
