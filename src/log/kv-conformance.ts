/** The rules that every `KvStore` keeps, as tests. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  type KvChange,
  KvError,
  type KvOperation,
  type KvPair,
  type KvStore,
  type KvTransaction,
} from '../ports/kv-store.ts';

export interface KvWorld {
  readonly store: KvStore;
  /** Another client of the same store. */
  readonly reopen: () => KvStore;
  /** Lets a lease that nobody renews run out; resolves when its keys are gone. */
  readonly expire: (leaseId: string) => Promise<void>;
  cleanUp(): Promise<void>;
}

export interface KvStoreSuite {
  readonly name: string;
  /** A store in which nothing below `suite/` is. */
  readonly create: () => Promise<KvWorld>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (pair: KvPair): string => `${pair.key}=${new TextDecoder().decode(pair.value)}`;

const put = (key: string, value: string, leaseId?: string): KvOperation =>
  leaseId === undefined
    ? { type: 'put', key, value: bytes(value) }
    : { type: 'put', key, value: bytes(value), leaseId };

const just = (...then: readonly KvOperation[]): KvTransaction => ({ compares: [], then, else: [] });

const ifCreatedAt = (
  key: string,
  revision: number,
  then: readonly KvOperation[],
  otherwise: readonly KvOperation[] = [],
): KvTransaction => ({
  compares: [{ key, target: 'create_revision', revision }],
  then,
  else: otherwise,
});

async function contents(store: KvStore, key = 'suite/', endKey = 'suite0'): Promise<string[]> {
  return (await store.range(key, endKey)).pairs.map(textOf);
}

/** Resolves once `isTrue`; a watch that never says so ends in the test's own time limit. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

export function runKvStoreSuite(options: KvStoreSuite): void {
  const it = (name: string, body: (world: KvWorld) => Promise<void>): void => {
    void test(name, { timeout: 60_000 }, async () => {
      const world = await options.create();
      try {
        await body(world);
      } finally {
        await world.cleanUp();
      }
    });
  };

  void suite(`key-value store: ${options.name}`, () => {
    it('what was put is there for every client, in order of keys', async ({ store, reopen }) => {
      await store.transact(just(put('suite/b', '2'), put('suite/a', '1'), put('suite/c', '3')));
      assert.deepEqual(await contents(reopen()), ['suite/a=1', 'suite/b=2', 'suite/c=3']);
      assert.deepEqual(await contents(store, 'suite/b', 'suite/c'), ['suite/b=2']);
      assert.deepEqual((await store.range('suite/b', null)).pairs.map(textOf), ['suite/b=2']);
      assert.deepEqual((await store.range('suite/', null)).pairs, []);
    });

    it('a limit cuts a range and says that there is more', async ({ store }) => {
      await store.transact(just(put('suite/a', '1'), put('suite/b', '2'), put('suite/c', '3')));
      const two = await store.range('suite/', 'suite0', 2);
      assert.deepEqual([two.pairs.map(textOf), two.more], [['suite/a=1', 'suite/b=2'], true]);
      const three = await store.range('suite/', 'suite0', 3);
      assert.deepEqual([three.pairs.length, three.more], [3, false]);
    });

    it('revisions grow by one with each transaction that changes something', async ({ store }) => {
      const first = await store.transact(just(put('suite/a', '1')));
      const second = await store.transact(just(put('suite/a', '2'), put('suite/b', '2')));
      const nothing = await store.transact(just({ type: 'delete', key: 'suite/none' }));
      assert.equal(second.revision, first.revision + 1);
      assert.equal(nothing.revision, second.revision);
      const { pairs, revision } = await store.range('suite/', 'suite0');
      assert.equal(revision, second.revision);
      assert.deepEqual(
        pairs.map((pair) => [pair.createRevision, pair.modRevision]),
        [
          [first.revision, second.revision],
          [second.revision, second.revision],
        ],
      );
    });

    it('a key is created once: the second to try gets the other branch and what is there', async ({
      store,
      reopen,
    }) => {
      const other = reopen();
      const create = (value: string): KvTransaction =>
        ifCreatedAt('suite/a', 0, [put('suite/a', value)], [{ type: 'get', key: 'suite/a' }]);
      const answers = await Promise.all([
        store.transact(create('mine')),
        other.transact(create('theirs')),
      ]);
      const won = answers.filter((answer) => answer.succeeded);
      const lost = answers.filter((answer) => !answer.succeeded);
      assert.deepEqual([won.length, lost.length], [1, 1]);
      assert.deepEqual(won[0]?.found, []);
      assert.deepEqual(lost[0]?.found[0]?.map(textOf), await contents(store));
    });

    it('a transaction decides by all of its compares', async ({ store }) => {
      const { revision } = await store.transact(just(put('suite/a', '1')));
      const write = (createdAt: number, changedAt: number): Promise<{ succeeded: boolean }> =>
        store.transact({
          compares: [
            { key: 'suite/a', target: 'create_revision', revision: createdAt },
            { key: 'suite/a', target: 'mod_revision', revision: changedAt },
          ],
          then: [put('suite/a', '2')],
          else: [],
        });
      assert.equal((await write(revision, revision + 1)).succeeded, false);
      assert.equal((await write(0, revision)).succeeded, false);
      assert.equal((await write(revision, revision)).succeeded, true);
      assert.equal((await write(revision, revision)).succeeded, false);
      assert.equal((await write(revision, revision + 1)).succeeded, true);
    });

    it('gets of a transaction answer in their order, puts and deletes between them', async ({
      store,
    }) => {
      await store.transact(just(put('suite/a', '1'), put('suite/b', '2'), put('suite/c', '3')));
      const { found } = await store.transact(
        just(
          { type: 'get', key: 'suite/b' },
          put('suite/d', '4'),
          { type: 'get', key: 'suite/none' },
          { type: 'delete', key: 'suite/a' },
          { type: 'get', key: 'suite/b', endKey: 'suite0', limit: 2 },
        ),
      );
      assert.deepEqual(
        found.map((pairs) => pairs.map(textOf)),
        [['suite/b=2'], [], ['suite/b=2', 'suite/c=3']],
      );
    });

    it('a range of keys is deleted at once, and a key created anew has a new creation', async ({
      store,
    }) => {
      const first = await store.transact(just(put('suite/a', '1'), put('suite/b', '2')));
      await store.transact(just({ type: 'delete', key: 'suite/', endKey: 'suite/b' }));
      assert.deepEqual(await contents(store), ['suite/b=2']);
      const again = await store.transact(ifCreatedAt('suite/a', 0, [put('suite/a', '3')]));
      assert.equal(again.succeeded, true);
      const [pair] = (await store.range('suite/a', null)).pairs;
      assert.equal(pair?.createRevision, again.revision);
      assert.ok(again.revision > first.revision);
    });

    it('bytes come back as they were, empty ones and a mebibyte too', async ({ store, reopen }) => {
      const large = Uint8Array.from({ length: 1024 ** 2 }, (_, index) => (index * 31) & 0xff);
      await store.transact(
        just(
          { type: 'put', key: 'suite/empty', value: new Uint8Array(0) },
          { type: 'put', key: 'suite/large', value: large },
        ),
      );
      const { pairs } = await reopen().range('suite/', 'suite0');
      assert.deepEqual(
        pairs.map((pair) => pair.value.length),
        [0, large.length],
      );
      assert.equal(Buffer.compare(pairs[1]?.value ?? new Uint8Array(0), large), 0);
    });

    it('what is over a limit is refused for good, and known to be', async ({ store }) => {
      const isRefused = (error: unknown): boolean =>
        error instanceof KvError && error.isDecided && !error.retryable;
      const large = { type: 'put', key: 'suite/a', value: new Uint8Array(1_600_000) } as const;
      await assert.rejects(store.transact(just(large)), isRefused);
      const many = Array.from({ length: 129 }, (_, index) => put(`suite/${index}`, 'x'));
      await assert.rejects(store.transact(just(...many)), isRefused);
      await assert.rejects(
        store.transact(just(put('suite/a', '1'), put('suite/a', '2'))),
        isRefused,
      );
      assert.deepEqual(await contents(store), []);
      await store.transact(just(...many.slice(1)));
      assert.equal((await contents(store)).length, 128);
    });

    it('a key under a lease goes when the lease runs out or is revoked', async ({
      store,
      expire,
    }) => {
      const one = await store.grantLease(1000);
      const two = await store.grantLease(60_000);
      assert.ok(one.ttlMs >= 1000 && two.ttlMs >= 60_000);
      assert.notEqual(one.leaseId, two.leaseId);
      await store.transact(
        just(
          put('suite/a', '1', one.leaseId),
          put('suite/b', '2', two.leaseId),
          put('suite/c', '3'),
        ),
      );
      assert.equal(await store.renewLease(one.leaseId), true);
      await expire(one.leaseId);
      assert.deepEqual(await contents(store), ['suite/b=2', 'suite/c=3']);
      assert.equal(await store.renewLease(one.leaseId), false);
      await store.revokeLease(two.leaseId);
      await store.revokeLease(two.leaseId);
      assert.deepEqual(await contents(store), ['suite/c=3']);
    });

    it('a put without a lease takes the key out of its lease', async ({ store }) => {
      const { leaseId } = await store.grantLease(60_000);
      await store.transact(just(put('suite/a', '1', leaseId)));
      await store.transact(just(put('suite/a', '2')));
      await store.revokeLease(leaseId);
      assert.deepEqual(await contents(store), ['suite/a=2']);
    });

    it('nothing is put under a lease that has ended', async ({ store }) => {
      const { leaseId } = await store.grantLease(60_000);
      await store.revokeLease(leaseId);
      await assert.rejects(
        store.transact(just(put('suite/a', '1', leaseId), put('suite/b', '2'))),
        (error) => error instanceof KvError && error.isDecided && !error.retryable,
      );
      assert.deepEqual(await contents(store), []);
    });

    it('a watch tells every change in its range, in order, until it is ended', async ({
      store,
      reopen,
    }) => {
      const other = reopen();
      const seen: KvChange[] = [];
      let hasStarted = false;
      const end = store.watch(
        'suite/w/',
        'suite/w0',
        (changes) => seen.push(...changes),
        () => (hasStarted = true),
      );
      // A store may need a while until its watch stands; then it says `onGap`, or the change itself.
      while (!hasStarted && seen.length === 0) {
        await other.transact(just(put('suite/w/begin', '0')));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { leaseId } = await other.grantLease(60_000);
      const first = await other.transact(just(put('suite/w/a', '1'), put('suite/x', '-')));
      await other.transact(just(put('suite/w/b', '2', leaseId)));
      await other.transact(just({ type: 'delete', key: 'suite/w/a' }, put('suite/w/c', '3')));
      await other.revokeLease(leaseId);
      await until(() => seen.at(-1)?.type === 'delete' && seen.at(-1)?.key === 'suite/w/b');
      const told = seen.filter((change) => change.key !== 'suite/w/begin');
      assert.deepEqual(
        told.map(
          (change) =>
            `${change.type} ${change.key} ${new TextDecoder().decode(change.value)} @${change.modRevision - first.revision}`,
        ),
        [
          'put suite/w/a 1 @0',
          'put suite/w/b 2 @1',
          'delete suite/w/a  @2',
          'put suite/w/c 3 @2',
          'delete suite/w/b  @3',
        ],
      );
      end();
      const count = seen.length;
      await other.transact(just(put('suite/w/a', '4')));
      await other.range('suite/', 'suite0');
      assert.equal(seen.length, count);
    });

    it('a closed client refuses, and says that nothing was done', async ({ reopen }) => {
      const other = reopen();
      await other.close();
      await assert.rejects(
        other.transact(just(put('suite/a', '1'))),
        (error) => error instanceof KvError && error.isDecided && !error.retryable,
      );
    });
  });
}
