/** What every `KvStore`, and every log, keeps, on a real etcd. */
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { runLogStoreSuite } from '../../src/log/conformance.ts';
import { EtcdKv } from '../../src/log/etcd/etcd-kv.ts';
import { runKvStoreSuite } from '../../src/log/kv-conformance.ts';
import { SlotLog } from '../../src/log/slot-log.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { LogStore } from '../../src/ports/log-store.ts';
import { EtcdCluster } from '../support/etcd.ts';

let single: EtcdCluster;
before(async () => {
  single = await EtcdCluster.start();
});
after(() => single[Symbol.asyncDispose]());

runKvStoreSuite({
  name: 'etcd',
  create: async () => {
    const opened: EtcdKv[] = [];
    const reopen = (): EtcdKv => {
      const kv = new EtcdKv({ endpoints: single.endpoints, clock: nodeClock() });
      opened.push(kv);
      return kv;
    };
    const store = reopen();
    await store.transact({
      compares: [],
      then: [{ type: 'delete', key: 'suite/', endKey: 'suite0' }],
      else: [],
    });
    return {
      store,
      reopen,
      expire: async (leaseId) => {
        while (await isAlive(single, leaseId)) await sleep(50);
      },
      cleanUp: async () => {
        for (const kv of opened) await kv.close();
      },
    };
  },
});

let logs = 0;

runLogStoreSuite({
  name: 'etcd',
  create: () => {
    logs += 1;
    const prefix = `mx8/log-${logs}/`;
    const opened: EtcdKv[] = [];
    const open = (): LogStore => {
      const clock = nodeClock();
      const kv = new EtcdKv({ endpoints: single.endpoints, clock });
      opened.push(kv);
      return new SlotLog({ kv, prefix, clock, random: nodeRandom(), giveUpAfterMs: 5000 });
    };
    return Promise.resolve({
      store: open(),
      reopen: open,
      cleanUp: async () => {
        for (const kv of opened) await kv.close();
      },
    });
  },
});

/** Asked without renewing it. */
async function isAlive(cluster: EtcdCluster, leaseId: string): Promise<boolean> {
  const { leases = [] } = await cluster.post('lease/leases', {});
  return (leases as readonly { readonly ID: string }[]).some(({ ID }) => ID === leaseId);
}
