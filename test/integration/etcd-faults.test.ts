/** mx8's client of etcd while members die, hang and come back: every call is answered in time, and truly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { EtcdKv } from '../../src/log/etcd/etcd-kv.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { type KvChange, KvError, type KvTransaction } from '../../src/ports/kv-store.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { TcpGate } from '../support/tcp-gate.ts';

const CALL_TIMEOUT_MS = 5000;

function open(cluster: EtcdCluster, endpoints: readonly string[] = cluster.endpoints): EtcdKv {
  return new EtcdKv({ endpoints, clock: nodeClock(), callTimeoutMs: CALL_TIMEOUT_MS });
}

const create = (key: string): KvTransaction => ({
  compares: [{ key, target: 'create_revision', revision: 0 }],
  then: [{ type: 'put', key, value: Buffer.from('x') }],
  else: [],
});

/** What the client was told of each key that it created. */
interface Told {
  readonly done: string[];
  readonly notDone: string[];
  readonly unknown: string[];
  slowestMs: number;
}

async function createUntil(kv: EtcdKv, name: string, isOver: () => boolean): Promise<Told> {
  const told: Told = { done: [], notDone: [], unknown: [], slowestMs: 0 };
  for (let index = 0; !isOver(); index += 1) {
    const key = `h/${name}/${index}`;
    const beganMs = performance.now();
    try {
      const { succeeded } = await kv.transact(create(key));
      assert.equal(succeeded, true, `${key} is created once`);
      told.done.push(key);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      (error.isDecided ? told.notDone : told.unknown).push(key);
    }
    told.slowestMs = Math.max(told.slowestMs, performance.now() - beganMs);
    await sleep(5);
  }
  return told;
}

test('killed, paused and restarted members: done is done, not done is never done', async (t) => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  // Each client prefers another member, so that some is hit by every fault.
  const clients = cluster.endpoints.map((_, index) =>
    open(cluster, [...cluster.endpoints.slice(index), ...cluster.endpoints.slice(0, index)]),
  );
  let isOver = false;
  const tolds = Promise.all(clients.map((kv, index) => createUntil(kv, `c${index}`, () => isOver)));
  await sleep(500);
  const leader = await cluster.leader();
  await leader.kill();
  await sleep(4000);
  leader.start();
  await leader.untilHealthy();
  const next = await cluster.leader();
  next.pause();
  await sleep(6000);
  next.resume();
  await sleep(1000);
  // All at once: nobody can be asked for a while.
  for (const member of cluster.members) await member.kill();
  await sleep(1000);
  for (const member of cluster.members) member.start();
  for (const member of cluster.members) await member.untilHealthy();
  await sleep(2000);
  isOver = true;
  const history = await tolds;
  const kv = clients[0] ?? open(cluster);
  const there = new Set((await kv.range('h/', 'h0')).pairs.map((pair) => pair.key));
  for (const { done, notDone, unknown, slowestMs } of history) {
    t.diagnostic(
      `${done.length} done, ${notDone.length} not, ${unknown.length} unknown, slowest ${Math.round(slowestMs)} ms`,
    );
    assert.deepEqual(
      done.filter((key) => !there.has(key)),
      [],
    );
    assert.deepEqual(
      notDone.filter((key) => there.has(key)),
      [],
    );
    assert.ok(done.length > 100);
    assert.ok(slowestMs < CALL_TIMEOUT_MS + 1000, `a call took ${slowestMs} ms`);
  }
  const all = history.flatMap((told) => [...told.done, ...told.unknown]);
  assert.deepEqual(
    [...there].filter((key) => !all.includes(key)),
    [],
  );
  for (const each of clients) await each.close();
});

test('a member that was never there is passed over, and nobody waits for it', async () => {
  await using cluster = await EtcdCluster.start();
  const kv = open(cluster, ['127.0.0.1:1', ...cluster.endpoints]);
  const beganMs = performance.now();
  assert.equal((await kv.transact(create('a'))).succeeded, true);
  assert.ok(performance.now() - beganMs < 1500);
  await kv.close();
});

test('with no member there, a call ends in time, decided, and names each with its reason', async () => {
  const kv = new EtcdKv({
    endpoints: ['127.0.0.1:1', '127.0.0.1:2'],
    clock: nodeClock(),
    callTimeoutMs: 1500,
  });
  const beganMs = performance.now();
  await assert.rejects(kv.transact(create('a')), (error) => {
    assert.ok(error instanceof KvError);
    assert.deepEqual([error.isDecided, error.retryable], [true, true]);
    assert.match(error.message, /127\.0\.0\.1:1: .*ECONNREFUSED.*127\.0\.0\.1:2: .*ECONNREFUSED/);
    return true;
  });
  assert.ok(performance.now() - beganMs < 2500);
  await kv.close();
});

test('a write to a member that hangs is unknown; the next call is answered by another', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  const leader = await cluster.leader();
  const follower = cluster.members.find((member) => member !== leader) ?? leader;
  const others = cluster.endpoints.filter((endpoint) => endpoint !== follower.endpoint);
  const kv = open(cluster, [follower.endpoint, ...others]);
  await kv.transact(create('a'));
  follower.pause();
  await assert.rejects(
    kv.transact(create('b')),
    (error) => error instanceof KvError && !error.isDecided && error.retryable,
  );
  assert.equal((await kv.transact(create('c'))).succeeded, true);
  follower.resume();
  // It may have arrived when the member woke up: that is what unknown means.
  await sleep(1000);
  assert.ok((await kv.range('b', null)).pairs.length <= 1);
  await kv.close();
});

test('a watch goes on where it was when its member is killed, and misses nothing', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  const kv = open(cluster);
  const writer = open(cluster, cluster.endpoints.slice(1));
  const seen: string[] = [];
  let gaps = 0;
  const started = Promise.withResolvers<void>();
  kv.watch(
    'w/',
    'w0',
    (changes: readonly KvChange[]) => seen.push(...changes.map((change) => change.key)),
    () => {
      gaps += 1;
      started.resolve();
    },
  );
  await started.promise;
  const expected: string[] = [];
  for (let index = 0; index < 60; index += 1) {
    if (index === 20) await cluster.member(0).kill();
    if (index === 40) cluster.member(0).start();
    const key = `w/${String(index).padStart(3, '0')}`;
    // Which of two members still answers while they elect is luck: what was not done is done again.
    for (let isDone = false; !isDone;) isDone = await kept(writer, key);
    expected.push(key);
  }
  while (seen.length < expected.length) await sleep(20);
  assert.deepEqual(seen, expected);
  assert.equal(gaps, 1);
  await kv.close();
  await writer.close();
});

async function kept(kv: EtcdKv, key: string): Promise<boolean> {
  try {
    await kv.transact(create(key));
    return true;
  } catch (error) {
    if (error instanceof KvError) return false;
    throw error;
  }
}

test('a watch over the restart of the only member goes on', async () => {
  await using cluster = await EtcdCluster.start();
  const kv = open(cluster);
  const writer = open(cluster);
  const seen: string[] = [];
  let gaps = 0;
  kv.watch(
    'w/',
    'w0',
    (changes) => seen.push(...changes.map((change) => change.key)),
    () => (gaps += 1),
  );
  while (gaps === 0) await sleep(10);
  await writer.transact(create('w/1'));
  await cluster.member(0).kill();
  cluster.member(0).start();
  await cluster.member(0).untilHealthy();
  await writer.transact(create('w/2'));
  while (seen.length < 2) await sleep(10);
  assert.deepEqual(seen, ['w/1', 'w/2']);
  await kv.close();
  await writer.close();
});

test('a watch that was away while etcd forgot says that it missed something, and goes on', async () => {
  await using cluster = await EtcdCluster.start();
  await using gate = await TcpGate.to(cluster.member(0).endpoint);
  const kv = open(cluster, [gate.endpoint]);
  const writer = open(cluster);
  const seen: string[] = [];
  let gaps = 0;
  kv.watch(
    'w/',
    'w0',
    (changes) => seen.push(...changes.map((change) => change.key)),
    () => (gaps += 1),
  );
  while (gaps === 0) await sleep(10);
  gate.shut();
  await writer.transact(create('w/1'));
  const { revision } = await writer.transact(create('w/2'));
  await cluster.post('kv/compaction', { revision, physical: true });
  gate.open();
  while (gaps < 2) await sleep(10);
  await writer.transact(create('w/3'));
  while (!seen.includes('w/3')) await sleep(10);
  assert.equal(gaps, 2);
  await kv.close();
  await writer.close();
});
