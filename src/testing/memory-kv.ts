/**
 * A `KvStore` in memory. Several clients may be opened on one `MemoryKvDisk`, as processes on one etcd.
 * Each client asks its fault plan what becomes of each call; without one every call is answered. No
 * promise waits for a timer unless the plan names a delay, so a test is as deterministic as its plan.
 *
 * Changes are told to watchers one microtask after they were made, in order.
 */
import { must } from '../core/base/assert.ts';
import type { Clock } from '../ports/clock.ts';
import {
  type KvChange,
  KvError,
  type KvRange,
  type KvStore,
  type KvTransacted,
  type KvTransaction,
} from '../ports/kv-store.ts';
import { MemoryKvDisk } from './memory-kv-disk.ts';

export { MemoryKvDisk } from './memory-kv-disk.ts';

export type KvRequest =
  | { readonly type: 'transact'; readonly transaction: KvTransaction }
  | { readonly type: 'range'; readonly key: string; readonly endKey: string | null }
  | { readonly type: 'grant_lease'; readonly ttlMs: number }
  | { readonly type: 'renew_lease' | 'revoke_lease'; readonly leaseId: string };

export type KvCall = KvRequest & {
  /** The client's name. */
  readonly client: string;
  /** Of this client's calls, counted from 0. */
  readonly index: number;
};

/** What becomes of one call. */
export type KvFate =
  /** Reaches the store and is answered, each after its delay. */
  | { readonly type: 'apply'; readonly requestDelayMs?: number; readonly answerDelayMs?: number }
  /** Never reaches the store; the client is told that the outcome is unknown. */
  | { readonly type: 'drop' }
  /** Done; the client is told that the outcome is unknown. */
  | { readonly type: 'lose_answer' }
  /**
   * The client is told at once that the outcome is unknown; the store does it `delayMs` later. With
   * null it does it when a test calls `landLate`, or never.
   */
  | { readonly type: 'land_late'; readonly delayMs: number | null }
  /** Not done, and the client knows. */
  | { readonly type: 'refuse'; readonly retryable: boolean }
  /** Neither done nor answered, ever. */
  | { readonly type: 'hang' };

export type KvFaultPlan = (call: KvCall) => KvFate;

export interface MemoryKvOptions {
  readonly disk?: MemoryKvDisk;
  readonly name?: string;
  readonly plan?: KvFaultPlan;
  /** Needed by a plan that names delays. */
  readonly clock?: Clock;
}

interface Watcher {
  readonly key: string;
  readonly endKey: string | null;
  readonly onChanges: (changes: readonly KvChange[]) => void;
  readonly onGap: () => void;
  isEnded: boolean;
}

export class MemoryKv implements KvStore {
  readonly disk: MemoryKvDisk;
  readonly #name: string;
  readonly #plan: KvFaultPlan;
  readonly #clock: Clock | null;
  readonly #watchers = new Set<Watcher>();
  readonly #unlisten: () => void;
  readonly #late: (() => void)[] = [];
  #calls = 0;
  #state: 'open' | 'closed' | 'killed' = 'open';
  #areWatchesCut = false;

  constructor(options: MemoryKvOptions = {}) {
    this.disk = options.disk ?? new MemoryKvDisk();
    this.#name = options.name ?? 'client';
    this.#plan = options.plan ?? (() => ({ type: 'apply' }));
    this.#clock = options.clock ?? null;
    this.#unlisten = this.disk.listen((changes) => this.#spread(changes));
  }

  async transact(transaction: KvTransaction): Promise<KvTransacted> {
    return this.#call({ type: 'transact', transaction }, () => this.disk.transact(transaction));
  }

  async range(key: string, endKey: string | null, limit = 0): Promise<KvRange> {
    return this.#call({ type: 'range', key, endKey }, () => this.disk.range(key, endKey, limit));
  }

  async grantLease(ttlMs: number): Promise<{ readonly leaseId: string; readonly ttlMs: number }> {
    return this.#call({ type: 'grant_lease', ttlMs }, () => ({
      leaseId: this.disk.grantLease(ttlMs),
      ttlMs,
    }));
  }

  async renewLease(leaseId: string): Promise<boolean> {
    return this.#call({ type: 'renew_lease', leaseId }, () => this.disk.renewLease(leaseId));
  }

  async revokeLease(leaseId: string): Promise<void> {
    return this.#call({ type: 'revoke_lease', leaseId }, () => this.disk.expireLease(leaseId));
  }

  watch(
    key: string,
    endKey: string | null,
    onChanges: (changes: readonly KvChange[]) => void,
    onGap: () => void,
  ): () => void {
    const watcher: Watcher = { key, endKey, onChanges, onGap, isEnded: false };
    this.#watchers.add(watcher);
    return () => {
      watcher.isEnded = true;
      this.#watchers.delete(watcher);
    };
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closed';
    this.#unlisten();
    for (const watcher of this.#watchers) watcher.isEnded = true;
    this.#watchers.clear();
  }

  /** As if the client's process ended here: nothing more is sent, and no call is answered any more. */
  kill(): void {
    this.#state = 'killed';
    void this.close();
  }

  /** Changes from now on are not told, as on a connection that broke unnoticed. */
  cutWatches(): void {
    this.#areWatchesCut = true;
  }

  /** The connection is there again, and its watchers learn that they may have missed something. */
  healWatches(): void {
    this.#areWatchesCut = false;
    for (const watcher of this.#watchers) queueMicrotask(() => watcher.isEnded || watcher.onGap());
  }

  /** Calls that wait for `landLate`. */
  get lateCount(): number {
    return this.#late.length;
  }

  /** The `index`-th call that waits to land late does so now. */
  landLate(index = 0): void {
    must(this.#late.splice(index, 1)[0], `there is a late call ${index}`)();
  }

  async #call<T>(request: KvRequest, apply: () => T): Promise<T> {
    if (this.#state === 'killed') return never<T>();
    if (this.#state === 'closed') {
      throw new KvError('the client is closed', { isDecided: true, retryable: false });
    }
    const fate = this.#plan({ ...request, client: this.#name, index: this.#calls });
    this.#calls += 1;
    try {
      const answer = await this.#suffer(fate, apply);
      return this.#isKilled() ? await never<T>() : answer;
    } catch (error) {
      if (this.#isKilled()) return never<T>();
      throw error;
    }
  }

  async #suffer<T>(fate: KvFate, apply: () => T): Promise<T> {
    switch (fate.type) {
      case 'apply': {
        if (fate.requestDelayMs !== undefined) await this.#sleep(fate.requestDelayMs);
        const answer = apply();
        if (fate.answerDelayMs !== undefined) await this.#sleep(fate.answerDelayMs);
        return answer;
      }
      case 'drop':
        throw unknownOutcome();
      case 'lose_answer':
        quietly(apply);
        throw unknownOutcome();
      case 'land_late':
        this.#later(fate.delayMs, () => quietly(apply));
        throw unknownOutcome();
      case 'refuse': {
        const { retryable } = fate;
        throw new KvError('the store refused for now', { isDecided: true, retryable });
      }
      case 'hang':
        return never<T>();
      default:
        return fate satisfies never;
    }
  }

  #isKilled(): boolean {
    return this.#state === 'killed';
  }

  #later(delayMs: number | null, land: () => void): void {
    if (delayMs === null) this.#late.push(land);
    else must(this.#clock, 'a plan with delays has a clock').setTimer(delayMs, land);
  }

  #sleep(delayMs: number): Promise<void> {
    return must(this.#clock, 'a plan with delays has a clock').sleep(delayMs);
  }

  #spread(changes: readonly KvChange[]): void {
    if (this.#areWatchesCut) return;
    for (const watcher of this.#watchers) {
      const { key, endKey } = watcher;
      const seen = changes.filter((change) =>
        endKey === null ? change.key === key : change.key >= key && change.key < endKey,
      );
      if (seen.length > 0) queueMicrotask(() => watcher.isEnded || watcher.onChanges(seen));
    }
  }
}

function unknownOutcome(): KvError {
  return new KvError('no answer came; it may have been done', {
    isDecided: false,
    retryable: true,
  });
}

/** A call whose answer nobody gets; that the store refused it changes nothing for anybody. */
function quietly(apply: () => unknown): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
