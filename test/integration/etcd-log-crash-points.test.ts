/**
 * Crash points of the log on a real etcd: at each call of a history the coordinator loses the store, before
 * or after the call is done there. `src/log/slot-crash-points.test.ts` has all the other faults, in memory.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mx8Error } from '../../src/core/base/errors.ts';
import { checkAfterCrash, checkGoesOn, runHistory, Told } from '../../src/log/crash-conformance.ts';
import { EtcdKv } from '../../src/log/etcd/etcd-kv.ts';
import { SlotLog } from '../../src/log/slot-log.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { KvError, type KvStore } from '../../src/ports/kv-store.ts';
import type { LogStore } from '../../src/ports/log-store.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { EagerClock } from '../support/eager-clock.ts';

let cluster: EtcdCluster;
let kv: EtcdKv;
before(async () => {
  cluster = await EtcdCluster.start();
  kv = new EtcdKv({ endpoints: cluster.endpoints, clock: nodeClock() });
});
after(async () => {
  await kv.close();
  await cluster[Symbol.asyncDispose]();
});

/** `kv`, away from call `at` on; that call is still done there when `isDone`. */
class Leaving {
  calls = 0;
  readonly #at: number;
  readonly #isDone: boolean;

  constructor(at: number, isDone: boolean) {
    this.#at = at;
    this.#isDone = isDone;
  }

  readonly transact: KvStore['transact'] = async (transaction) => {
    const call = this.calls;
    this.calls += 1;
    const answer = call < this.#at || (call === this.#at && this.#isDone);
    const transacted = answer ? await kv.transact(transaction) : null;
    if (transacted !== null && call < this.#at) return transacted;
    throw new KvError('no answer came', { isDecided: false, retryable: true });
  };
}

function logOn(transact: KvStore['transact'], prefix: string): LogStore {
  // A log calls nothing else when nobody watches.
  const store: KvStore = {
    transact,
    range: (key, endKey, limit) => kv.range(key, endKey, limit),
    grantLease: (ttlMs) => kv.grantLease(ttlMs),
    renewLease: (leaseId) => kv.renewLease(leaseId),
    revokeLease: (leaseId) => kv.revokeLease(leaseId),
    watch: (key, endKey, onChanges, onGap) => kv.watch(key, endKey, onChanges, onGap),
    close: () => Promise.resolve(),
  };
  const clock = new EagerClock();
  return new SlotLog({ kv: store, prefix, clock, random: nodeRandom(), giveUpAfterMs: 500 });
}

test('a coordinator that loses etcd at any call has broken no promise, and the next goes on', async (t) => {
  const whole = new Leaving(Number.POSITIVE_INFINITY, true);
  await runHistory(() => logOn(whole.transact, 'whole/'), new Told());
  let crashes = 0;
  for (let at = 0; at < whole.calls; at += 1) {
    for (const isDone of [false, true]) {
      const prefix = `at-${at}-${String(isDone)}/`;
      const leaving = new Leaving(at, isDone);
      const told = new Told();
      await assert.rejects(
        runHistory(() => logOn(leaving.transact, prefix), told),
        Mx8Error,
      );
      const reopen = (): LogStore => logOn((transaction) => kv.transact(transaction), prefix);
      await checkGoesOn(reopen, await checkAfterCrash(reopen(), told));
      crashes += 1;
    }
  }
  t.diagnostic(`${crashes} crashes`);
  assert(crashes >= 60);
});
