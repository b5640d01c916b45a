/** The rules that every back end of the coordinator's log keeps, as tests. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { LoadedLog, LogEntry, LogStore } from '../ports/log-store.ts';
import { assertClosed } from './crash-conformance.ts';

export interface LogStoreSuite {
  readonly name: string;
  /** A fresh, empty log, and a way to open the same log again (as another process would). */
  readonly create: () => Promise<{
    readonly store: LogStore;
    readonly reopen: () => LogStore;
    cleanUp(): Promise<void>;
  }>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function entriesOf(loaded: LoadedLog): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of loaded.entries) entries.push(entry);
  return entries;
}

async function contents(store: LogStore): Promise<string[]> {
  const loaded = await store.load();
  const entries = await entriesOf(loaded);
  return entries.map(
    (entry) => `${entry.seq}/${entry.epoch} ${new TextDecoder().decode(entry.payload)}`,
  );
}

export function runLogStoreSuite(options: LogStoreSuite): void {
  const it = (
    name: string,
    body: (world: { store: LogStore; reopen: () => LogStore }) => Promise<void>,
  ): void => {
    void test(name, async () => {
      const world = await options.create();
      try {
        await body(world);
      } finally {
        await world.cleanUp();
      }
    });
  };

  void suite(`log store: ${options.name}`, () => {
    it('an empty log has no entry, no epoch and no snapshot', async ({ store }) => {
      const loaded = await store.load();
      assert.deepEqual(
        [loaded.tailSeq, loaded.epoch, loaded.snapshotSeq, loaded.trimmedSeq],
        [0, 0, 0, 0],
      );
      assert.equal(loaded.snapshot, null);
      assert.deepEqual(await entriesOf(loaded), []);
    });

    it('what was appended is there for whoever opens the log next', async ({ store, reopen }) => {
      assert.deepEqual(await store.claim(0, 1, 'a'), { type: 'won', epoch: 1, tailSeq: 1 });
      assert.deepEqual(await store.append(2, 1, bytes('x'), 'n2'), { type: 'ok' });
      assert.deepEqual(await store.append(3, 1, bytes('y'), 'n3'), { type: 'ok' });
      assert.deepEqual(await contents(reopen()), ['1/1 ', '2/1 x', '3/1 y']);
    });

    it('an append without a claim is fenced', async ({ store }) => {
      assert.deepEqual(await store.append(1, 1, bytes('x'), 'n'), { type: 'fenced', epoch: 0 });
      assert.deepEqual(await contents(store), []);
    });

    it('a claim fences whoever claimed before, for appends, snapshots and trims', async ({
      store,
      reopen,
    }) => {
      await store.claim(0, 1, 'a');
      const other = reopen();
      assert.deepEqual(await other.claim(1, 2, 'b'), { type: 'won', epoch: 2, tailSeq: 2 });
      assert.deepEqual(await store.append(2, 1, bytes('late'), 'n'), { type: 'fenced', epoch: 2 });
      assert.deepEqual(await store.append(3, 1, bytes('late'), 'n'), { type: 'fenced', epoch: 2 });
      assert.deepEqual(await store.snapshot(1, 1, bytes('s')), { type: 'fenced', epoch: 2 });
      assert.deepEqual(await store.trim(0, 1), { type: 'fenced', epoch: 2 });
      assert.deepEqual(await other.append(3, 2, bytes('new'), 'n'), { type: 'ok' });
      assert.deepEqual(await contents(store), ['1/1 ', '2/2 ', '3/2 new']);
    });

    it('a claim is confirmed until another one is made', async ({ store, reopen }) => {
      await store.claim(0, 1, 'a');
      assert.deepEqual(await store.confirm(1), { type: 'ok' });
      const other = reopen();
      await other.claim(1, 2, 'b');
      assert.deepEqual(await store.confirm(1), { type: 'fenced', epoch: 2 });
      assert.deepEqual(await other.confirm(2), { type: 'ok' });
    });

    it('a claim with an old epoch or an old tail is lost and says who holds the log', async ({
      store,
      reopen,
    }) => {
      await store.claim(0, 5, 'a');
      const other = reopen();
      assert.deepEqual(await other.claim(1, 5, 'b'), { type: 'lost', epoch: 5, holder: 'a' });
      assert.deepEqual(await other.claim(1, 4, 'b'), { type: 'lost', epoch: 5, holder: 'a' });
      assert.deepEqual(await other.claim(0, 6, 'b'), { type: 'lost', epoch: 5, holder: 'a' });
      assert.deepEqual(await store.append(2, 5, bytes('x'), 'n'), { type: 'ok' });
    });

    it('of two claims of one epoch exactly one wins', async ({ store, reopen }) => {
      const results = await Promise.all([store.claim(0, 1, 'a'), reopen().claim(0, 1, 'b')]);
      assert.deepEqual(results.map((result) => result.type).sort(), ['lost', 'won']);
    });

    it('repeating an append whose answer was lost is answered as the first was', async ({
      store,
      reopen,
    }) => {
      await store.claim(0, 1, 'a');
      await store.append(2, 1, bytes('x'), 'mine');
      assert.deepEqual(await store.append(2, 1, bytes('x'), 'mine'), { type: 'ok' });
      assert.deepEqual(await store.append(2, 1, bytes('z'), 'other'), { type: 'fenced', epoch: 1 });
      assert.deepEqual(await store.append(2, 1, bytes('z'), 'mine'), { type: 'fenced', epoch: 1 });
      assert.deepEqual(await contents(reopen()), ['1/1 ', '2/1 x']);
    });

    it('a gap is never left in the log', async ({ store }) => {
      await store.claim(0, 1, 'a');
      assert.deepEqual(await store.append(3, 1, bytes('x'), 'n'), { type: 'fenced', epoch: 1 });
      assert.deepEqual(await contents(store), ['1/1 ']);
    });

    it('after a snapshot and a trim the rest is loaded, and the slots below are closed', async ({
      store,
      reopen,
    }) => {
      await store.claim(0, 1, 'a');
      for (const seq of [2, 3, 4, 5]) await store.append(seq, 1, bytes(`e${seq}`), `n${seq}`);
      assert.deepEqual(await store.snapshot(3, 1, bytes('state after 3')), { type: 'ok' });
      assert.deepEqual(await contents(store), ['4/1 e4', '5/1 e5']);
      assert.deepEqual(await store.trim(3, 1), { type: 'ok' });
      const loaded = await reopen().load();
      assert.equal(new TextDecoder().decode(loaded.snapshot ?? new Uint8Array(0)), 'state after 3');
      assert.deepEqual([loaded.snapshotSeq, loaded.trimmedSeq, loaded.tailSeq], [3, 3, 5]);
      await assertClosed(store.append(2, 1, bytes('e2'), 'n2'));
      assert.deepEqual(await store.append(6, 1, bytes('e6'), 'n6'), { type: 'ok' });
    });

    it('when all is trimmed the log goes on where it was', async ({ store, reopen }) => {
      await store.claim(0, 1, 'a');
      await store.append(2, 1, bytes('x'), 'n2');
      await store.snapshot(2, 1, bytes('state after 2'));
      await store.trim(2, 1);
      const next = reopen();
      const loaded = await next.load();
      assert.deepEqual([loaded.tailSeq, loaded.epoch, loaded.snapshotSeq], [2, 1, 2]);
      assert.deepEqual(await entriesOf(loaded), []);
      assert.deepEqual(await next.claim(2, 2, 'b'), { type: 'won', epoch: 2, tailSeq: 3 });
      assert.deepEqual(await next.append(4, 2, bytes('y'), 'n4'), { type: 'ok' });
      assert.deepEqual(await contents(store), ['3/2 ', '4/2 y']);
    });

    it('what no snapshot holds cannot be trimmed', async ({ store }) => {
      await store.claim(0, 1, 'a');
      await store.append(2, 1, bytes('x'), 'n');
      await store.snapshot(1, 1, bytes('s'));
      await assert.rejects(store.trim(2, 1));
      assert.deepEqual(await contents(store), ['2/1 x']);
    });

    it('whoever follows gets what came after, until it is trimmed', async ({ store, reopen }) => {
      await store.claim(0, 1, 'a');
      for (const seq of [2, 3]) await store.append(seq, 1, bytes(`e${seq}`), `n${seq}`);
      const standby = reopen();
      const followed = await standby.follow(1);
      assert.equal(followed.type, 'entries');
      if (followed.type !== 'entries') return;
      assert.deepEqual(
        followed.entries.map((entry) => [entry.seq, entry.epoch]),
        [
          [2, 1],
          [3, 1],
        ],
      );
      assert.equal(followed.tailSeq, 3);
      assert.deepEqual(await standby.follow(3), { type: 'entries', entries: [], tailSeq: 3 });
      await store.snapshot(2, 1, bytes('state after 2'));
      await store.trim(2, 1);
      assert.deepEqual(await standby.follow(1), { type: 'trimmed', trimmedSeq: 2 });
      assert.equal((await standby.follow(2)).type, 'entries');
    });

    it('large and empty payloads come back byte by byte', async ({ store, reopen }) => {
      await store.claim(0, 1, 'a');
      const large = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 31) & 0xff);
      await store.append(2, 1, large, 'n2');
      await store.append(3, 1, new Uint8Array(0), 'n3');
      const entries = await entriesOf(await reopen().load());
      assert.deepEqual(entries[1]?.payload, large);
      assert.equal(entries[2]?.payload.length, 0);
    });
  });
}
