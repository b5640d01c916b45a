/** A state in etcd as `--state` names it: opened with TLS and users, or refused in a sentence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { type EtcdFlags, openEtcdState } from '../../src/cli/etcd-state.ts';
import { Mx8Error } from '../../src/core/base/errors.ts';
import { EtcdKv } from '../../src/log/etcd/etcd-kv.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { KvError, type KvStore } from '../../src/ports/kv-store.ts';
import { RecordingEvents } from '../../src/testing/recording-events.ts';
import { makeCertificates } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NO_FLAGS: EtcdFlags = {
  etcdCa: null,
  etcdCert: null,
  etcdKey: null,
  etcdUser: null,
  etcdPasswordFile: null,
};
const USER = { name: 'mx8', password: 'correct horse battery staple' };

async function open(
  endpoints: readonly string[],
  flags: Partial<EtcdFlags> = {},
  options: { readonly scheme?: string; readonly name?: string } = {},
): Promise<{ readonly kv: KvStore; readonly name: string; readonly events: RecordingEvents }> {
  const events = new RecordingEvents();
  const { scheme = 'etcd', name = '' } = options;
  const opened = await openEtcdState({
    place: `${scheme}://${endpoints.join(',')}/${name}`,
    defaultName: 'a-job',
    flags: { ...NO_FLAGS, ...flags },
    leaderTtlMs: 2000,
    clock: nodeClock(),
    events,
  });
  return { ...opened, events };
}

/** Refused with that code, in those words, and without the password. */
async function assertRefused(
  opening: Promise<unknown>,
  code: string,
  words: RegExp,
): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof Mx8Error, String(error));
    assert.match(error.message, words);
    assert.equal(error.code, code);
    const all = `${error.stack ?? ''} ${JSON.stringify(error.details)} ${String(error.cause)}`;
    assert.ok(!all.includes(USER.password) && !all.includes('wrong password'));
    return true;
  });
}

test('a state is made once, found again, and kept apart from others of the same etcd', async () => {
  await using cluster = await EtcdCluster.start();
  const [one, two, other] = [
    await open(cluster.endpoints),
    await open(cluster.endpoints),
    await open(cluster.endpoints, {}, { name: 'another' }),
  ];
  assert.deepEqual([one.name, two.name, other.name], ['a-job', 'a-job', 'another']);
  const { pairs } = await one.kv.range('mx8/', 'mx80');
  assert.deepEqual(
    pairs.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    ['a-job', 'another'].map((name) => [
      `mx8/${name}/format`,
      `{"mx8":"coordinator state","version":1,"name":"${name}"}`,
    ]),
  );
  for (const { kv } of [one, two, other]) await kv.close();
});

test('a place that is somebody else’s, newer, or a copy is refused', async () => {
  await using cluster = await EtcdCluster.start();
  const kv = new EtcdKv({ endpoints: cluster.endpoints, clock: nodeClock() });
  const put = (key: string, value: string): Promise<unknown> =>
    kv.transact({
      compares: [],
      then: [{ type: 'put', key, value: Buffer.from(value) }],
      else: [],
    });
  await put('mx8/taken/theirs', 'x');
  await put('mx8/odd/format', 'not json');
  await put('mx8/new/format', '{"mx8":"coordinator state","version":2,"name":"new"}');
  await put('mx8/copy/format', '{"mx8":"coordinator state","version":1,"name":"original"}');
  const at = (name: string): Promise<unknown> => open(cluster.endpoints, {}, { name });
  await assertRefused(at('taken'), 'store_refused', /not mx8's, such as mx8\/taken\/theirs/);
  await assertRefused(at('odd'), 'store_refused', /mx8\/odd\/format in the store is not mx8's/);
  await assertRefused(at('new'), 'coordinator_state_newer', /version 2, this mx8 reads up to 1/);
  await assertRefused(at('copy'), 'store_refused', /calls itself "original": it was copied/);
  await kv.close();
});

test('an etcd that is not there is said to be, each address with its reason', async () => {
  await assertRefused(
    open(['127.0.0.1:1', 'no-such-host.invalid:2379']),
    'store_unavailable',
    /no member of etcd answers \(127\.0\.0\.1:1: .*ECONNREFUSED.*; no-such-host\.invalid:2379: .+\)/,
  );
});

test('a member that is down is told of, and the others are used', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  await cluster.member(0).kill();
  const { kv, events } = await open(cluster.endpoints);
  assert.deepEqual(
    new Set(events.all.map(({ event, fields }) => `${event} ${String(fields['endpoint'])}`)),
    new Set([`etcd_member_silent ${cluster.member(0).endpoint}`]),
  );
  await kv.close();
});

test('members of different clusters, and a cluster without a majority, are refused', async () => {
  await using one = await EtcdCluster.start();
  await using three = await EtcdCluster.start({ members: 3 });
  await assertRefused(
    open([...one.endpoints, three.member(0).endpoint]),
    'store_refused',
    /belong to different etcd clusters \([0-9a-f]+ and [0-9a-f]+\)/,
  );
  await three.member(0).kill();
  await three.member(1).kill();
  // The last one believes in its leader until its election timeout is over.
  await sleep(3000);
  await assertRefused(
    open(three.endpoints),
    'store_unavailable',
    /has no leader: more than half of its members must run \(.*ECONNREFUSED/,
  );
});

test('an etcd with an alarm is refused, with what clears it', async () => {
  await using cluster = await EtcdCluster.start();
  const alarm = (name: string, action: string): Promise<unknown> =>
    cluster.post('maintenance/alarm', { action, memberID: 1, alarm: name });
  await alarm('NOSPACE', 'ACTIVATE');
  await assertRefused(open(cluster.endpoints), 'store_refused', /no room left.*alarm disarm/);
  await alarm('NOSPACE', 'DEACTIVATE');
  await alarm('CORRUPT', 'ACTIVATE');
  await assertRefused(open(cluster.endpoints), 'store_refused', /damaged data.*alarm disarm/);
});

test('a write to an etcd without room is of unknown outcome: the one that fills it may be made', async () => {
  await using cluster = await EtcdCluster.start({ flags: ['--quota-backend-bytes=2000000'] });
  const { kv } = await open(cluster.endpoints);
  const refusals: KvError[] = [];
  for (let index = 0; refusals.length === 0 && index < 200; index += 1) {
    const put = { type: 'put', key: `mx8/a-job/${index}`, value: new Uint8Array(500_000) } as const;
    try {
      await kv.transact({ compares: [], then: [put], else: [] });
    } catch (error) {
      assert.ok(error instanceof KvError);
      // A busy machine may be late with an answer; that is not what is asked here.
      if (!error.retryable) refusals.push(error);
    }
  }
  assert.deepEqual(
    refusals.map((error) => [error.isDecided, error.retryable]),
    [[false, false]],
  );
  assert.match(refusals[0]?.message ?? '', /takes no more writes.*database space exceeded/);
  await kv.close();
});

test('a writer that goes on for long does not fill etcd: its past is compacted on the way', async () => {
  // Far more than what lies between two compactions: etcd gives room back some time after it was asked.
  await using cluster = await EtcdCluster.start({ flags: ['--quota-backend-bytes=40000000'] });
  const kv = new EtcdKv({
    endpoints: cluster.endpoints,
    clock: nodeClock(),
    compactAfterBytes: 1_200_000,
  });
  const value = new Uint8Array(400_000);
  // Three times the quota, in a value that is written again and again.
  for (let index = 0; index < 300; index += 1) {
    const put = { type: 'put', key: 'mx8/a/x', value } as const;
    await kv.transact({ compares: [], then: [put], else: [] });
  }
  await kv.close();
});

test('with TLS: the right authority and certificate are needed, and said when missing', async () => {
  await using cluster = await EtcdCluster.start({ usesTls: true });
  await using elsewhere = await temporaryFolder();
  const { caPath, clientCertPath, clientKeyPath } = cluster.certificates ?? assert.fail('no TLS');
  const client = { etcdCert: clientCertPath, etcdKey: clientKeyPath };
  const { kv } = await open(cluster.endpoints, { etcdCa: caPath, ...client });
  assert.equal((await kv.range('mx8/', 'mx80')).pairs.length, 1);
  await kv.close();
  const other = makeCertificates(elsewhere.path);
  const { endpoints } = cluster;
  await assertRefused(
    open(endpoints, { etcdCa: other.caPath, ...client }),
    'store_refused',
    /no secure connection to etcd \(.*certificate.*\); check --etcd-ca/,
  );
  await assertRefused(open(endpoints, client, { scheme: 'etcds' }), 'store_refused', /certificate/);
  await assertRefused(
    open(endpoints, { etcdCa: caPath }),
    'store_refused',
    /\(127\.0\.0\.1:\d+: TLS: alert bad certificate\); check --etcd-ca, --etcd-cert and/,
  );
  await assertRefused(open(endpoints), 'store_unavailable', /whether it wants TLS/);
});

test('with users: the password is needed and right, tokens are renewed, rights are checked', async () => {
  await using cluster = await EtcdCluster.start();
  await using folder = await temporaryFolder();
  await folder.write({ right: `${USER.password}\n`, wrong: 'wrong password\n', empty: '\n' });
  await cluster.enableAuth(USER, 'mx8/a-job/');
  const { endpoints } = cluster;
  const as = (etcdUser: string, file: string): Partial<EtcdFlags> => ({
    etcdUser,
    etcdPasswordFile: folder.join(file),
  });
  await assertRefused(
    open(endpoints),
    'store_refused',
    /give --etcd-user and --etcd-password-file/,
  );
  await assertRefused(
    open(endpoints, as('mx8', 'wrong')),
    'store_refused',
    /refuses the login .*user mx8: .*authentication failed.*--etcd-password-file/,
  );
  await assertRefused(open(endpoints, as('nobody', 'right')), 'store_refused', /user nobody/);
  await assertRefused(open(endpoints, as('mx8', 'empty')), 'flag_invalid', /in one line/);
  await assertRefused(
    open(endpoints, as('mx8', 'right'), { name: 'not-mine' }),
    'store_refused',
    /permission denied.*begin with mx8\//,
  );
  const { kv } = await open(endpoints, as('mx8', 'right'));
  const seen: string[] = [];
  kv.watch(
    'mx8/a-job/w',
    null,
    (changes) => seen.push(...changes.map(({ key }) => key)),
    () => seen.push('gap'),
  );
  while (seen.length < 1) await sleep(10);
  // A member forgets its tokens when it ends.
  await cluster.member(0).kill();
  cluster.member(0).start();
  await cluster.member(0).untilHealthy();
  const put = { type: 'put', key: 'mx8/a-job/w', value: new Uint8Array(1) } as const;
  assert.equal((await kv.transact({ compares: [], then: [put], else: [] })).succeeded, true);
  while (seen.length < 2) await sleep(10);
  assert.deepEqual(seen, ['gap', 'mx8/a-job/w']);
  await kv.close();
});

test('a login for an etcd that asks for none is no obstacle', async () => {
  await using cluster = await EtcdCluster.start();
  await using folder = await temporaryFolder();
  await folder.write({ password: USER.password });
  const flags = { etcdUser: 'mx8', etcdPasswordFile: folder.join('password') };
  const { kv } = await open(cluster.endpoints, flags);
  assert.equal((await kv.range('mx8/', 'mx80')).pairs.length, 1);
  // Switched on later, it is given.
  await cluster.enableAuth(USER, 'mx8/');
  assert.equal((await kv.range('mx8/', 'mx80')).pairs.length, 1);
  await kv.close();
});
