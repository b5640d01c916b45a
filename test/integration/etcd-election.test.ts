/** The election of coordinators on a real etcd, and on three when the member that leads dies. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { runElectionSuite } from '../../src/log/election-conformance.ts';
import { EtcdKv } from '../../src/log/etcd/etcd-kv.ts';
import { KvElection } from '../../src/log/kv-election.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { EtcdCluster } from '../support/etcd.ts';

/** Long, so that a busy machine does not end a lease between two calls. */
const TTL_MS = 4000;

let single: EtcdCluster;
let elections = 0;
before(async () => {
  single = await EtcdCluster.start();
});
after(() => single[Symbol.asyncDispose]());

runElectionSuite({
  name: 'etcd',
  create: () => {
    elections += 1;
    const prefix = `mx8/election-${elections}/`;
    const stores: EtcdKv[] = [];
    const parts: KvElection[] = [];
    return Promise.resolve({
      ttlMs: TTL_MS,
      open: () => {
        const kv = new EtcdKv({ endpoints: single.endpoints, clock: nodeClock() });
        const election = new KvElection({ kv, prefix, ttlMs: TTL_MS, clock: nodeClock() });
        stores.push(kv);
        parts.push(election);
        return election;
      },
      pass: (ms) => sleep(ms),
      cleanUp: async () => {
        for (const election of parts) await election.close();
        for (const kv of stores) await kv.close();
      },
    });
  },
});

test('a leader of coordinators keeps its lead when the leader of etcd is killed', async (t) => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  const stores = [0, 1].map(() => new EtcdKv({ endpoints: cluster.endpoints, clock: nodeClock() }));
  const parts = stores.map(
    (kv) => new KvElection({ kv, prefix: 'mx8/x/', ttlMs: 10_000, clock: nodeClock() }),
  );
  const [one, two] = parts;
  assert.ok(one !== undefined && two !== undefined);
  const [a, b] = ['a', 'b'].map((who) => ({ who, address: `${who}:1`, appliedSeq: 0 }));
  assert.ok(a !== undefined && b !== undefined);
  assert.equal((await one.campaign(a)).type, 'elected');
  const victim = await cluster.leader();
  await victim.kill();
  const killedMs = performance.now();
  assert.equal(await one.renew(a), true);
  t.diagnostic(`renewed ${Math.round(performance.now() - killedMs)} ms after the kill`);
  assert.equal((await two.campaign(b)).type, 'led');
  await one.resign();
  assert.equal((await two.campaign(b)).type, 'elected');
  for (const kv of stores) await kv.close();
});
