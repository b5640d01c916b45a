import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Mx8Error } from '../core/base/errors.ts';
import type { CandidateInfo } from '../ports/election.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type KvFate, MemoryKv, MemoryKvDisk } from '../testing/memory-kv.ts';
import { runElectionSuite } from './election-conformance.ts';
import { KvElection } from './kv-election.ts';
import { MemoryElection, MemoryElectionBoard } from './memory-election.ts';
import { SqliteElection } from './sqlite-election.ts';

const TTL_MS = 2000;
const PREFIX = 'mx8/test/';

runElectionSuite({
  name: 'memory',
  create: () => {
    const clock = new FakeClock();
    const board = new MemoryElectionBoard(clock);
    return Promise.resolve({
      ttlMs: TTL_MS,
      open: () => new MemoryElection(board, TTL_MS),
      pass: (ms) => clock.advance(ms),
      cleanUp: () => Promise.resolve(),
    });
  },
  mistakesNamesakesBecause: 'candidates in one process are given names by it',
});

runElectionSuite({
  name: 'key-value store',
  create: () => {
    const clock = new FakeClock();
    const disk = new MemoryKvDisk({ clock });
    return Promise.resolve({
      ttlMs: TTL_MS,
      open: () => electionOn(new MemoryKv({ disk }), clock),
      pass: (ms) => clock.advance(ms),
      cleanUp: () => Promise.resolve(),
    });
  },
});

runElectionSuite({
  name: 'sqlite',
  create: async () => {
    const clock = new FakeClock();
    const folder = await mkdtemp(join(tmpdir(), 'mx8-election-'));
    const opened: SqliteElection[] = [];
    return {
      ttlMs: TTL_MS,
      open: () => {
        const election = new SqliteElection({ folder, ttlMs: TTL_MS, clock });
        opened.push(election);
        return election;
      },
      pass: (ms) => clock.advance(ms),
      cleanUp: async () => {
        for (const election of opened) await election.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  mistakesNamesakesBecause: 'a name is a lock on a file: the second gets coordinator_state_in_use',
});

function electionOn(kv: MemoryKv, clock: FakeClock): KvElection {
  return new KvElection({ kv, prefix: PREFIX, ttlMs: TTL_MS, clock });
}

const candidate = (who: string, address = `${who}.example:1`): CandidateInfo => ({
  who,
  address,
  appliedSeq: 0,
});

/** Two candidates; the writes of the first come to the fates of the list, one after the other. */
function troubled(fates: readonly KvFate[]): {
  readonly clock: FakeClock;
  readonly kv: MemoryKv;
  readonly one: KvElection;
  readonly two: KvElection;
} {
  const clock = new FakeClock();
  const disk = new MemoryKvDisk({ clock });
  const left = [...fates];
  const kv = new MemoryKv({
    disk,
    plan: (call) => {
      const isWrite =
        call.type === 'transact' && call.transaction.then.some((one) => one.type === 'put');
      return (isWrite ? left.shift() : undefined) ?? { type: 'apply' };
    },
  });
  const [one, two] = [electionOn(kv, clock), electionOn(new MemoryKv({ disk }), clock)];
  return { clock, kv, one, two };
}

test('an election whose answer was lost is found out by reading', async () => {
  const { one, two } = troubled([{ type: 'lose_answer' }]);
  assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
  assert.equal(await one.renew(candidate('a')), true);
  assert.equal((await two.campaign(candidate('b'))).type, 'led');
});

test('an election that was never asked for is asked for again', async () => {
  const { one, two } = troubled([{ type: 'drop' }, { type: 'drop' }]);
  assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
  assert.equal((await two.campaign(candidate('b'))).type, 'led');
});

test('an election that lands late, after the next was won, changes nothing', async () => {
  const { kv, one, two } = troubled([{ type: 'land_late', delayMs: null }]);
  assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
  kv.landLate();
  assert.equal(await one.renew(candidate('a')), true);
  assert.equal((await two.campaign(candidate('b'))).type, 'led');
});

test('an election that lands after its candidate resigned elects nobody', async () => {
  const late: KvFate = { type: 'land_late', delayMs: null };
  const { kv, one, two } = troubled(Array.from({ length: 8 }, () => late));
  await assert.rejects(one.campaign(candidate('a')), { code: 'store_outcome_unknown' });
  await one.resign();
  while (kv.lateCount > 0) kv.landLate();
  assert.equal(await two.leader(), null);
  assert.deepEqual(await two.campaign(candidate('b')), { type: 'elected' });
});

test('a store that refuses for now is said to be away, one that refuses for good to refuse', async () => {
  const { one } = troubled([
    { type: 'refuse', retryable: true },
    { type: 'refuse', retryable: false },
  ]);
  await assert.rejects(one.campaign(candidate('a')), { code: 'store_unavailable' });
  await assert.rejects(one.campaign(candidate('a')), { code: 'store_refused' });
  assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
});

test('a process started again on its address waits for what the last one left behind', async () => {
  const { clock, one, two } = troubled([]);
  await one.campaign(candidate('before', 'h:1'));
  for (let turn = 0; turn < 10; turn += 1) {
    const campaign = await two.campaign(candidate('after', 'h:1'));
    if (campaign.type === 'elected') return;
    assert.equal(campaign.leader.who, 'before');
    await clock.advance(TTL_MS / 4);
  }
  assert.fail('the address is free once the lease has ended');
});

test('of two live coordinators with one address the later is refused, the earlier stays', async () => {
  const { clock, one, two } = troubled([]);
  await one.campaign(candidate('first', 'h:1'));
  const refusal = await (async (): Promise<unknown> => {
    for (let turn = 0; turn < 20; turn += 1) {
      assert.equal(await one.renew(candidate('first', 'h:1')), true);
      try {
        await two.campaign(candidate('second', 'h:1'));
      } catch (error) {
        return error;
      }
      await clock.advance(TTL_MS / 4);
    }
    return null;
  })();
  assert.ok(refusal instanceof Mx8Error);
  assert.equal(refusal.code, 'candidate_duplicate');
  assert.match(refusal.message, /another coordinator \(first\) says that it serves at h:1/);
  assert.equal(await one.renew(candidate('first', 'h:1')), true);
});

test('on one machine a leader that resigns is seen at once, before the next look is due', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-election-'));
  const [one, two] = [1, 2].map(
    () => new SqliteElection({ folder, ttlMs: TTL_MS, clock: new FakeClock() }),
  );
  assert.ok(one !== undefined && two !== undefined);
  await one.campaign(candidate('one'));
  await two.campaign(candidate('two'));
  const seen = Promise.withResolvers<void>();
  let isKnown = false;
  const end = two.watch(() => (isKnown ? seen.resolve() : undefined));
  isKnown = true;
  await one.resign();
  // The clocks stand still: no look falls due.
  await seen.promise;
  assert.deepEqual(await two.campaign(candidate('two')), { type: 'elected' });
  end();
  for (const election of [one, two]) await election.close();
  await rm(folder, { recursive: true });
});
