/** `KvStore` on etcd's v3 API. Reads and transactions are linearizable; see `etcd-caller.ts` for failures. */
import { must } from '../../core/base/assert.ts';
import type {
  KvChange,
  KvCompare,
  KvOperation,
  KvPair,
  KvRange,
  KvStore,
  KvTransacted,
  KvTransaction,
} from '../../ports/kv-store.ts';
import { KvError } from '../../ports/kv-store.ts';
import { EtcdCompactor } from './etcd-compactor.ts';
import { EtcdCaller, type EtcdOptions } from './etcd-caller.ts';
import { EtcdWatch } from './etcd-watch.ts';
import {
  bytesOf,
  childOf,
  childrenOf,
  type EtcdMessage,
  etcdMethod,
  type EtcdMethod,
  flagOf,
  idOf,
  keyOf,
  longOfId,
  numberOf,
} from './schema.ts';

const RANGE: EtcdMethod = etcdMethod('KV/Range');
const TRANSACT: EtcdMethod = etcdMethod('KV/Txn');
const GRANT: EtcdMethod = etcdMethod('Lease/LeaseGrant');
const KEEP_ALIVE: EtcdMethod = etcdMethod('Lease/LeaseKeepAlive');
const REVOKE: EtcdMethod = etcdMethod('Lease/LeaseRevoke');

/** The numbers of etcd's enums `Compare.CompareResult` and `CompareTarget`. */
const EQUAL = 0;
const TARGETS = { create_revision: 1, mod_revision: 2 } as const;

export class EtcdKv implements KvStore {
  readonly #caller: EtcdCaller;
  readonly #compactor: EtcdCompactor;
  readonly #watches: Set<EtcdWatch> = new Set<EtcdWatch>();

  constructor(options: EtcdOptions) {
    this.#caller = new EtcdCaller(options);
    this.#compactor = new EtcdCompactor(this.#caller, options);
  }

  /** The same connections, for calls that `KvStore` does not have. */
  get caller(): EtcdCaller {
    return this.#caller;
  }

  async transact(transaction: KvTransaction): Promise<KvTransacted> {
    const { compares, then, else: otherwise } = transaction;
    const answer = await this.#caller.call(
      TRANSACT,
      {
        compare: compares.map(compareMessage),
        success: then.map(operationMessage),
        failure: otherwise.map(operationMessage),
      },
      isReadOnly(then) && isReadOnly(otherwise),
    );
    const succeeded = flagOf(answer, 'succeeded');
    const responses = childrenOf(answer, 'responses');
    const found: (readonly KvPair[])[] = [];
    for (const [index, operation] of (succeeded ? then : otherwise).entries()) {
      if (operation.type !== 'get') continue;
      const response = must(responses[index], 'etcd answers every operation of a transaction');
      found.push(pairsOf(childOf(response, 'responseRange')));
    }
    const revision = revisionOf(answer);
    this.#compactor.wrote(succeeded ? then : otherwise, revision);
    return { succeeded, revision, found };
  }

  async range(key: string, endKey: string | null, limit = 0): Promise<KvRange> {
    const answer = await this.#caller.call(RANGE, rangeMessage(key, endKey, limit), true);
    return {
      pairs: pairsOf(answer),
      revision: revisionOf(answer),
      more: flagOf(answer, 'more'),
    };
  }

  /** etcd counts whole seconds, and gives no less than its own least TTL (2 s at its usual settings). */
  async grantLease(ttlMs: number): Promise<{ readonly leaseId: string; readonly ttlMs: number }> {
    // Asked twice there may be two leases; the one that nobody knows of ends by itself.
    const answer = await this.#caller.call(
      GRANT,
      { TTL: Math.max(1, Math.ceil(ttlMs / 1000)) },
      true,
    );
    return { leaseId: idOf(answer, 'ID'), ttlMs: numberOf(answer, 'TTL') * 1000 };
  }

  async renewLease(leaseId: string): Promise<boolean> {
    const message = { ID: longOfId(leaseId) };
    const answer = await this.#caller.call(KEEP_ALIVE, message, true, 'stream');
    return numberOf(answer, 'TTL') > 0;
  }

  async revokeLease(leaseId: string): Promise<void> {
    try {
      await this.#caller.call(REVOKE, { ID: longOfId(leaseId) }, true);
    } catch (error) {
      if (!(error instanceof KvError && /requested lease not found/.test(error.message)))
        throw error;
    }
  }

  /** `onGap` is also called once when the watch stands: what changed until then may have been missed. */
  watch(
    key: string,
    endKey: string | null,
    onChanges: (changes: readonly KvChange[]) => void,
    onGap: () => void,
  ): () => void {
    const watch = new EtcdWatch(this.#caller, { key, endKey, onChanges, onGap });
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.end();
    };
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    this.#caller.close();
  }
}

function isReadOnly(operations: readonly KvOperation[]): boolean {
  return operations.every((operation) => operation.type === 'get');
}

function compareMessage({ key, target, revision }: KvCompare): EtcdMessage {
  return {
    result: EQUAL,
    target: TARGETS[target],
    key: Buffer.from(key),
    [target === 'create_revision' ? 'createRevision' : 'modRevision']: revision,
  };
}

function operationMessage(operation: KvOperation): EtcdMessage {
  const { key } = operation;
  switch (operation.type) {
    case 'get':
      return {
        requestRange: rangeMessage(key, operation.endKey ?? null, operation.limit ?? 0),
      };
    case 'put':
      return {
        requestPut: {
          key: Buffer.from(key),
          value: operation.value,
          ...(operation.leaseId === undefined ? {} : { lease: longOfId(operation.leaseId) }),
        },
      };
    case 'delete':
      return { requestDeleteRange: keysMessage(key, operation.endKey ?? null) };
  }
}

function rangeMessage(key: string, endKey: string | null, limit: number): EtcdMessage {
  return { ...keysMessage(key, endKey), limit };
}

function keysMessage(key: string, endKey: string | null): EtcdMessage {
  return endKey === null
    ? { key: Buffer.from(key) }
    : { key: Buffer.from(key), rangeEnd: Buffer.from(endKey) };
}

function pairsOf(range: EtcdMessage | null): readonly KvPair[] {
  if (range === null) return [];
  return childrenOf(range, 'kvs').map((pair) => ({
    key: keyOf(pair, 'key'),
    value: bytesOf(pair, 'value'),
    createRevision: numberOf(pair, 'createRevision'),
    modRevision: numberOf(pair, 'modRevision'),
  }));
}

function revisionOf(answer: EtcdMessage): number {
  return numberOf(must(childOf(answer, 'header'), 'etcd’s answers have a header'), 'revision');
}
