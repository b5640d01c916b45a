import assert from 'node:assert/strict';
import test from 'node:test';
import { type KvChange, KvError, type KvTransaction } from '../ports/kv-store.ts';
import { FakeClock } from './fake-clock.ts';
import { type KvFate, MemoryKv, MemoryKvDisk } from './memory-kv.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function put(key: string, text: string, leaseId?: string): KvTransaction {
  const value = bytes(text);
  const operation = {
    type: 'put',
    key,
    value,
    ...(leaseId === undefined ? {} : { leaseId }),
  } as const;
  return { compares: [], then: [operation], else: [] };
}

async function texts(kv: MemoryKv, key: string, endKey: string | null = null): Promise<string[]> {
  const { pairs } = await kv.range(key, endKey);
  return pairs.map((pair) => `${pair.key}=${new TextDecoder().decode(pair.value)}`);
}

test('a transaction decides by revisions and all that it changes has one revision', async () => {
  const kv = new MemoryKv();
  const first = await kv.transact(put('a', '1'));
  await kv.transact(put('a', '2'));
  const { pairs } = await kv.range('a', null);
  assert.deepEqual(
    pairs.map((pair) => [pair.createRevision, pair.modRevision]),
    [[first.revision, first.revision + 1]],
  );
  const decided = await kv.transact({
    compares: [
      { key: 'a', target: 'mod_revision', revision: first.revision + 1 },
      { key: 'b', target: 'create_revision', revision: 0 },
    ],
    then: [...put('b', 'x').then, { type: 'delete', key: 'a' }, { type: 'get', key: 'b' }],
    else: [{ type: 'get', key: 'a' }],
  });
  assert.equal(decided.succeeded, true);
  assert.equal(decided.revision, first.revision + 2);
  assert.deepEqual(
    decided.found[0]?.map((pair) => pair.modRevision),
    [first.revision + 2],
  );
  assert.deepEqual(await texts(kv, 'a', 'z'), ['b=x']);
});

test('a transaction that changes nothing gets no revision', async () => {
  const kv = new MemoryKv();
  const before = kv.disk.revision;
  await kv.transact({
    compares: [{ key: 'a', target: 'create_revision', revision: 7 }],
    then: put('a', '1').then,
    else: [
      { type: 'delete', key: 'a' },
      { type: 'get', key: 'a' },
    ],
  });
  assert.equal(kv.disk.revision, before);
});

test('a range is half open, ordered, and says when it was cut', async () => {
  const kv = new MemoryKv();
  for (const key of ['c', 'a', 'b', 'd']) await kv.transact(put(key, key));
  assert.deepEqual(await texts(kv, 'a', 'd'), ['a=a', 'b=b', 'c=c']);
  const cut = await kv.range('a', 'd', 2);
  assert.deepEqual([cut.pairs.length, cut.more], [2, true]);
  assert.equal((await kv.range('a', 'd', 3)).more, false);
});

test('what etcd refuses is refused, and nothing of it is done', async () => {
  const kv = new MemoryKv();
  const decided = (error: unknown): boolean => error instanceof KvError && error.isDecided;
  const large = {
    compares: [],
    then: [{ type: 'put', key: 'a', value: new Uint8Array(1_600_000) }],
    else: [],
  } as const;
  await assert.rejects(kv.transact(large), decided);
  const many = Array.from({ length: 129 }, (_, index) => put(`k${index}`, 'x').then).flat();
  await assert.rejects(kv.transact({ compares: [], then: many, else: [] }), decided);
  const twice = [...put('a', '1').then, ...put('a', '2').then];
  await assert.rejects(kv.transact({ compares: [], then: twice, else: [] }), decided);
  const both = [...put('a', '1').then, { type: 'delete', key: 'a', endKey: 'b' } as const];
  await assert.rejects(kv.transact({ compares: [], then: both, else: [] }), decided);
  await assert.rejects(kv.transact(put('a', '1', 'lease-9')), decided);
  assert.deepEqual(await texts(kv, 'a', 'z'), []);
});

test('a lease takes its keys with it, by the clock or by hand', async () => {
  const clock = new FakeClock();
  const kv = new MemoryKv({ disk: new MemoryKvDisk({ clock }) });
  const { leaseId } = await kv.grantLease(1000);
  const other = await kv.grantLease(5000);
  await kv.transact(put('a', '1', leaseId));
  await kv.transact(put('b', '1', other.leaseId));
  await clock.advance(900);
  assert.equal(await kv.renewLease(leaseId), true);
  await clock.advance(900);
  assert.deepEqual(await texts(kv, 'a', 'z'), ['a=1', 'b=1']);
  await clock.advance(100);
  assert.deepEqual(await texts(kv, 'a', 'z'), ['b=1']);
  assert.equal(await kv.renewLease(leaseId), false);
  await kv.transact(put('b', '2'));
  await kv.revokeLease(other.leaseId);
  assert.deepEqual(await texts(kv, 'a', 'z'), ['b=2'], 'a put without a lease frees the key of it');
  assert.equal(clock.timerCount, 0);
});

test('watchers of every client see changes in order, and a gap when they may have missed some', async () => {
  const disk = new MemoryKvDisk();
  const [writer, reader] = [new MemoryKv({ disk }), new MemoryKv({ disk })];
  const seen: string[] = [];
  const note = (changes: readonly KvChange[]): void => {
    for (const change of changes) seen.push(`${change.type} ${change.key}`);
  };
  const end = reader.watch('a', 'c', note, () => seen.push('gap'));
  await writer.transact(put('a', '1'));
  await writer.transact(put('c', '1'));
  await writer.transact({ compares: [], then: [{ type: 'delete', key: 'a' }], else: [] });
  await Promise.resolve();
  assert.deepEqual(seen, ['put a', 'delete a']);
  reader.cutWatches();
  await writer.transact(put('b', '1'));
  reader.healWatches();
  await Promise.resolve();
  end();
  await writer.transact(put('b', '2'));
  await Promise.resolve();
  assert.deepEqual(seen, ['put a', 'delete a', 'gap']);
});

test('each fate of a call is what it says', async () => {
  const clock = new FakeClock();
  const fates: KvFate[] = [
    { type: 'drop' },
    { type: 'lose_answer' },
    { type: 'land_late', delayMs: 50 },
    { type: 'land_late', delayMs: null },
    { type: 'refuse', retryable: true },
  ];
  const disk = new MemoryKvDisk();
  const kv = new MemoryKv({ disk, clock, plan: ({ index }) => fates[index] ?? { type: 'apply' } });
  const look = new MemoryKv({ disk });
  const failure = async (text: string): Promise<boolean | null> => {
    const error: unknown = await kv.transact(put('a', text)).catch((cause: unknown) => cause);
    return error instanceof KvError ? error.isDecided : null;
  };
  assert.equal(await failure('1'), false);
  assert.deepEqual(await texts(look, 'a'), []);
  assert.equal(await failure('2'), false);
  assert.deepEqual(await texts(look, 'a'), ['a=2']);
  assert.equal(await failure('3'), false);
  assert.deepEqual(await texts(look, 'a'), ['a=2']);
  await clock.advance(50);
  assert.deepEqual(await texts(look, 'a'), ['a=3']);
  assert.equal(await failure('4'), false);
  assert.equal(await failure('5'), true);
  assert.deepEqual(await texts(look, 'a'), ['a=3']);
  kv.landLate();
  assert.deepEqual(await texts(look, 'a'), ['a=4']);
  assert.equal(await failure('6'), null);
});

test('after a kill no call is answered, and what was under way still lands', async () => {
  const clock = new FakeClock();
  const disk = new MemoryKvDisk();
  const kv = new MemoryKv({ disk, clock, plan: () => ({ type: 'apply', requestDelayMs: 10 }) });
  let isAnswered = false;
  void kv.transact(put('a', '1')).then(() => (isAnswered = true));
  kv.kill();
  void kv.transact(put('a', '2')).then(() => (isAnswered = true));
  await clock.advance(20);
  assert.deepEqual(await texts(new MemoryKv({ disk }), 'a'), ['a=1']);
  assert.equal(isAnswered, false);
});
