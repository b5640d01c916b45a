/** A store in etcd's model as one immutable value: what a transaction makes of it is another value. */
import type {
  StoredPair,
  StoreOperation,
  StoreTransaction,
  Transacted,
} from '../../src/core/log/store-protocol.ts';

export interface ModelStore {
  /** In order of keys. */
  readonly pairs: readonly StoredPair[];
  readonly revision: number;
}

export const EMPTY_STORE: ModelStore = { pairs: [], revision: 0 };

export function transact(
  store: ModelStore,
  transaction: StoreTransaction,
): { readonly store: ModelStore; readonly answer: Transacted } {
  const succeeded = transaction.compares.every(({ key, target, revision }) => {
    const pair = pairAt(store.pairs, key);
    const found = target === 'create_revision' ? pair?.createRevision : pair?.modRevision;
    return (found ?? 0) === revision;
  });
  const revision = store.revision + 1;
  let { pairs } = store;
  const found: (readonly StoredPair[])[] = [];
  for (const operation of succeeded ? transaction.then : transaction.else) {
    if (operation.type === 'get') found.push(pairsIn(pairs, operation));
    else pairs = changed(pairs, operation, revision);
  }
  const next = pairs === store.pairs ? store : { pairs, revision };
  return {
    store: next,
    answer: { type: 'transacted', succeeded, revision: next.revision, found },
  };
}

export function pairAt(pairs: readonly StoredPair[], key: string): StoredPair | undefined {
  return pairs.find((pair) => pair.key === key);
}

export function pairsIn(
  pairs: readonly StoredPair[],
  range: { readonly key: string; readonly endKey?: string; readonly limit?: number },
): readonly StoredPair[] {
  const { key, endKey, limit } = range;
  const found = pairs.filter((pair) =>
    endKey === undefined ? pair.key === key : pair.key >= key && pair.key < endKey,
  );
  return limit === undefined ? found : found.slice(0, limit);
}

function changed(
  pairs: readonly StoredPair[],
  operation: Exclude<StoreOperation, { type: 'get' }>,
  revision: number,
): readonly StoredPair[] {
  if (operation.type === 'delete') {
    const gone = pairsIn(pairs, operation);
    return gone.length === 0 ? pairs : pairs.filter((pair) => !gone.includes(pair));
  }
  const { key, value } = operation;
  const before = pairAt(pairs, key);
  const pair = {
    key,
    value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
  };
  const rest = pairs.filter((each) => each !== before);
  const place = rest.findIndex((each) => each.key > key);
  return place === -1 ? [...rest, pair] : [...rest.slice(0, place), pair, ...rest.slice(place)];
}
