/**
 * Crash points of the log on a key-value store: every call of a history meets every fault that a store
 * of that kind has. A transaction of such a store is there whole or not at all, so "torn" is a crash
 * between the transactions of one operation, which "before" and "after" each call are.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EagerClock } from '../../test/support/eager-clock.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { LogStore } from '../ports/log-store.ts';
import { type KvFate, MemoryKv, MemoryKvDisk } from '../testing/memory-kv.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { checkAfterCrash, checkGoesOn, runHistory, Told } from './crash-conformance.ts';
import { SlotLog } from './slot-log.ts';

/** What the call with the number `at` meets; `now` is the number of the call that is asked about. */
type Fault = (now: number, at: number) => KvFate;

const APPLIED: KvFate = { type: 'apply' };
const LATE: KvFate = { type: 'land_late', delayMs: null };

/** One cluster's store, with the calls of all its clients counted. */
class Store {
  readonly disk = new MemoryKvDisk();
  readonly #fate: (now: number) => KvFate;
  readonly #clients: MemoryKv[] = [];
  calls = 0;

  constructor(fate: (now: number) => KvFate = () => APPLIED) {
    this.#fate = fate;
  }

  readonly open = (): LogStore => {
    const plan = (): KvFate => {
      this.calls += 1;
      return this.#fate(this.calls - 1);
    };
    return this.#log(new MemoryKv({ disk: this.disk, plan }));
  };

  /** By a client to which nothing happens. */
  readonly openAgain = (): LogStore => this.#log(new MemoryKv({ disk: this.disk }));

  /** True when something was on its way. */
  landLate(): boolean {
    const waiting = this.#clients.filter((client) => client.lateCount > 0);
    for (const client of waiting) client.landLate();
    return waiting.length > 0;
  }

  #log(kv: MemoryKv): LogStore {
    this.#clients.push(kv);
    const random = seededRandom(this.#clients.length);
    return new SlotLog({ kv, prefix: 'log/', clock: new EagerClock(), random, giveUpAfterMs: 500 });
  }
}

async function countCalls(): Promise<number> {
  const store = new Store();
  await runHistory(store.open, new Told());
  return store.calls;
}

/** Runs the history to the fault that ends it, and returns what it threw; null when it ended well. */
async function runToEnd(store: Store, told: Told): Promise<unknown> {
  try {
    await runHistory(store.open, told);
    return null;
  } catch (error) {
    return error;
  }
}

const calls = await countCalls();

const CRASHES: readonly { readonly name: string; readonly fault: Fault }[] = [
  {
    // Nothing is done from that call on, nor answered.
    name: 'the store is away from then on: before',
    fault: (now, at) => (now < at ? APPLIED : { type: 'drop' }),
  },
  {
    name: 'the store is away from then on: after',
    fault: (now, at) => (now < at ? APPLIED : { type: now === at ? 'lose_answer' : 'drop' }),
  },
  {
    name: 'the disk of the store is full from then on (ENOSPC), or fails (EIO)',
    fault: (now, at) => (now < at ? APPLIED : { type: 'refuse', retryable: false }),
  },
];

for (const { name, fault } of CRASHES) {
  test(`at each of ${calls} calls, when ${name}, all promises hold`, async () => {
    for (let at = 0; at < calls; at += 1) {
      const store = new Store((now) => fault(now, at));
      const told = new Told();
      const error = await runToEnd(store, told);
      assert(error instanceof Mx8Error, `call ${at}: ${String(error)}`);
      assert.match(error.code, /^store_(outcome_unknown|unavailable|refused)$/);
      const texts = await checkAfterCrash(store.openAgain(), told);
      await checkGoesOn(store.openAgain, texts);
    }
  });
}

test('after a write that failed for good the same writer answers nothing more', async () => {
  const writes = [
    (log: LogStore) => log.append(3, 1, new Uint8Array(1), 'n3'),
    (log: LogStore) => log.append(3, 1, new Uint8Array(300_000), 'n3'),
    (log: LogStore) => log.snapshot(2, 1, new Uint8Array(1)),
    (log: LogStore) => log.trim(0, 1),
  ];
  for (const write of writes) {
    let fate: KvFate = APPLIED;
    const store = new Store(() => fate);
    const log = store.open();
    await log.claim(0, 1, 'a');
    await log.append(2, 1, new Uint8Array(1), 'n2');
    fate = { type: 'refuse', retryable: false };
    await assert.rejects(write(log), { code: 'store_refused' });
    fate = APPLIED;
    await assert.rejects(write(log), { code: 'store_refused' });
    await assert.rejects(log.append(3, 1, new Uint8Array(2), 'n3'), { code: 'store_refused' });
    assert.equal((await log.load()).tailSeq, 2);
  }
});

const PASSING: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'is lost', fault: (now, at) => (now === at ? { type: 'drop' } : APPLIED) },
  {
    name: 'is done and its answer lost',
    fault: (now, at) => (now === at ? { type: 'lose_answer' } : APPLIED),
  },
  {
    name: 'is refused for now',
    fault: (now, at) => (now === at ? { type: 'refuse', retryable: true } : APPLIED),
  },
  {
    name: 'and the two after it are lost',
    fault: (now, at) => (now >= at && now < at + 3 ? { type: 'drop' } : APPLIED),
  },
];

for (const { name, fault } of PASSING) {
  test(`when each of ${calls} calls ${name}, the history goes on as if nothing was`, async () => {
    for (let at = 0; at < calls; at += 1) {
      const store = new Store((now) => fault(now, at));
      const told = new Told();
      assert.equal(await runToEnd(store, told), null, `call ${at}`);
      const texts = await checkAfterCrash(store.openAgain(), told);
      assert.deepEqual(texts, told.answered);
      await checkGoesOn(store.openAgain, texts);
    }
  });
}

test(`each of ${calls} calls that lands late, at each later call or at the end, changes nothing`, async () => {
  let landed = 0;
  for (let at = 0; at < calls; at += 1) {
    for (const wait of [1, 2, 4, 8, 16, calls]) {
      const store: Store = new Store((now) => {
        if (now === at + wait && store.landLate()) landed += 1;
        return now === at ? LATE : APPLIED;
      });
      const told = new Told();
      assert.equal(await runToEnd(store, told), null, `call ${at}, ${wait} later`);
      const before = await checkAfterCrash(store.openAgain(), told);
      if (store.landLate()) landed += 1;
      assert.deepEqual(await checkAfterCrash(store.openAgain(), told), before);
      await checkGoesOn(store.openAgain, before);
    }
  }
  assert.equal(landed, calls * 6, 'every late call landed');
});

test(`a writer that dies at each of ${calls} calls, whose last call lands after its successor’s claim, harms nobody`, async () => {
  for (let at = 0; at < calls; at += 1) {
    const store = new Store((now) => (now < at ? APPLIED : now === at ? LATE : { type: 'drop' }));
    const told = new Told();
    assert((await runToEnd(store, told)) instanceof Mx8Error);
    const texts = await checkAfterCrash(store.openAgain(), told);
    const log = store.openAgain();
    const { tailSeq, epoch } = await log.load();
    assert.equal((await log.claim(tailSeq, epoch + 1, 'successor')).type, 'won');
    assert(store.landLate(), 'the call was on its way');
    assert.deepEqual(await log.append(tailSeq + 2, epoch + 1, new Uint8Array(1), 'n'), {
      type: 'ok',
    });
    const again = new Told();
    again.answered.push(...texts, `${epoch + 1}:`, `${epoch + 1}:\0`);
    assert.deepEqual(await checkAfterCrash(store.openAgain(), again), again.answered);
  }
});

test('a value that was changed behind the log is refused with its place, whichever it is', async () => {
  const store = new Store();
  const told = new Told();
  await runHistory(store.open, told);
  const { pairs } = store.disk.range('log/', 'log0');
  assert(pairs.length >= 7, 'marks, slots and a snapshot');
  const put = (key: string, value: Uint8Array): void => {
    store.disk.transact({ compares: [], then: [{ type: 'put', key, value }], else: [] });
  };
  // Between them they read every value that counts.
  const readAll = async (): Promise<void> => {
    await store.openAgain().load();
    await store.openAgain().follow(told.trimmedSeq);
  };
  for (const { key, value } of pairs) {
    const changed = value.slice();
    changed[value.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    put(key, changed);
    await assert.rejects(readAll(), { code: 'coordinator_state_invalid' }, key);
    put(key, value);
    if (/slot|snap\//.test(key)) {
      store.disk.transact({ compares: [], then: [{ type: 'delete', key }], else: [] });
      await assert.rejects(readAll(), { code: 'coordinator_state_invalid' }, key);
      put(key, value);
    }
  }
  assert.deepEqual(await checkAfterCrash(store.openAgain(), told), told.answered);
});
