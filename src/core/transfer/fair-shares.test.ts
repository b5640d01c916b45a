import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FairShares } from './fair-shares.ts';

const ROUND_MS = 1000;
const TTL_MS = 5000;

/** Holders that ask once in a round, each with what it wants. */
class Table {
  readonly shares: FairShares = new FairShares(ROUND_MS);
  readonly held: Map<string, number> = new Map();
  nowMs: number = 0;

  round(budget: number, wants: Readonly<Record<string, number>>): void {
    const ids = Object.keys(wants);
    for (const id of ids) {
      const wanted = wants[id] ?? 0;
      const inFlight = Math.min(wanted, this.held.get(id) ?? 0);
      this.shares.wish(id, { wanted, inFlight }, this.nowMs, TTL_MS);
      this.held.set(id, this.shares.ask(id, budget, this.nowMs, TTL_MS));
      this.nowMs += ROUND_MS / ids.length;
    }
  }

  get list(): readonly number[] {
    return [...this.held.values()];
  }
}

test('what one does not want goes to the others in equal parts', () => {
  const table = new Table();
  for (let round = 0; round < 4; round += 1) table.round(100, { a: 5, b: 80, c: 80, idle: 0 });
  assert.deepEqual(Object.fromEntries(table.held), { a: 5, b: 47, c: 47, idle: 1 });
});

test('what nobody wants is handed out too, so that nobody waits who wants more before it asks again', () => {
  const table = new Table();
  for (let round = 0; round < 4; round += 1) table.round(100, { a: 4, b: 2 });
  assert.equal(
    table.list.reduce((sum, share) => sum + share, 0),
    100,
  );
  assert.deepEqual(
    table.list.map((share) => share > 40),
    [true, true],
  );
});

test('who comes late gets its part when the others have asked again, not before', () => {
  const { shares } = new Table();
  const ask = (id: string, nowMs: number): number => {
    shares.wish(id, { wanted: 50, inFlight: 0 }, nowMs, TTL_MS);
    return shares.ask(id, 30, nowMs, TTL_MS);
  };
  assert.equal(ask('a', 0), 30);
  assert.equal(ask('b', 100), 0);
  assert.equal(ask('a', 1000), 15);
  assert.equal(ask('b', 1100), 15);
});

test('what is under way beyond a share counts until it is over', () => {
  const { shares } = new Table();
  shares.wish('a', { wanted: 20, inFlight: 20 }, 0, TTL_MS);
  shares.wish('b', { wanted: 20, inFlight: 0 }, 0, TTL_MS);
  assert.equal(shares.ask('a', 20, 0, TTL_MS), 10);
  assert.equal(shares.ask('b', 20, 0, TTL_MS), 0);
  shares.wish('a', { wanted: 20, inFlight: 10 }, 1000, TTL_MS);
  assert.equal(shares.ask('b', 20, 1000, TTL_MS), 10);
});

test('the share of who is silent goes to the others when its time is up, and of who is gone at once', () => {
  const table = new Table();
  for (let round = 0; round < 3; round += 1) table.round(30, { a: 30, b: 30, c: 30 });
  assert.deepEqual(table.list, [10, 10, 10]);
  table.held.delete('c');
  for (let round = 0; round < 4; round += 1) table.round(30, { a: 30, b: 30 });
  assert.deepEqual(table.list, [10, 10]);
  for (let round = 0; round < 3; round += 1) table.round(30, { a: 30, b: 30 });
  assert.deepEqual(table.list, [15, 15]);
  table.shares.forget('b');
  table.held.delete('b');
  table.round(30, { a: 30 });
  assert.deepEqual(table.list, [30]);
});

test('where there is less than one each everybody has a turn', () => {
  for (const budget of [1, 3, 7]) {
    const table = new Table();
    const wants = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`n${index}`, 4]));
    const rounds = new Map<string, number>();
    for (let round = 0; round < 240; round += 1) {
      table.round(budget, wants);
      for (const [id, share] of table.held)
        if (share > 0) rounds.set(id, (rounds.get(id) ?? 0) + 1);
      assert.ok(table.list.reduce((sum, share) => sum + share, 0) <= budget);
    }
    assert.equal(rounds.size, 20, `of a budget of ${budget}`);
    const turns = [...rounds.values()];
    assert.ok(Math.max(...turns) <= 3 * Math.min(...turns), `${budget}: ${turns.join(' ')}`);
  }
});

interface Ask {
  readonly id: string;
  readonly wanted: number;
  readonly used: number;
  readonly laterMs: number;
  readonly budget: number;
  readonly isGone: boolean;
}

const asks: fc.Arbitrary<readonly Ask[]> = fc.array(
  fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    wanted: fc.nat(40),
    used: fc.nat(100),
    laterMs: fc.nat(1500),
    budget: fc.integer({ min: 1, max: 60 }),
    isGone: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0),
  }),
  { maxLength: 120 },
);

test('shares never pass the budget, but where it went down and only until everybody has asked again', () => {
  fc.assert(
    fc.property(asks, fc.boolean(), (all, isFixed) => {
      const shares = new FairShares(ROUND_MS);
      const live = new Map<string, { share: number; untilMs: number }>();
      let nowMs = 0;
      const sum = (): number => {
        let total = 0;
        for (const { share, untilMs } of live.values()) if (untilMs > nowMs) total += share;
        return total;
      };
      for (const { id, wanted, used, laterMs, budget: drawn, isGone } of all) {
        nowMs += laterMs;
        const budget = isFixed ? 30 : drawn;
        if (isGone) {
          shares.forget(id);
          live.delete(id);
          continue;
        }
        // Nobody has more under way than its share allowed, which may be over.
        const mine = live.get(id) ?? { share: 0, untilMs: 0 };
        const inFlight = Math.min(wanted, used, mine.share);
        const before = sum() + (mine.untilMs > nowMs ? 0 : inFlight);
        shares.wish(id, { wanted, inFlight }, nowMs, TTL_MS);
        const share = shares.ask(id, budget, nowMs, TTL_MS);
        assert.ok(Number.isSafeInteger(share) && share >= 0);
        live.set(id, { share, untilMs: nowMs + TTL_MS });
        assert.ok(sum() <= Math.max(budget, before), `${sum()} of ${budget}, ${before} before`);
        assert.ok(shares.held >= sum(), 'what is held covers what was handed out');
      }
    }),
    { numRuns: 300 },
  );
});

test('once everybody has asked twice nobody has less than it wants while another has two more', () => {
  const wants = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.nat(50), {
    minKeys: 1,
    maxKeys: 12,
  });
  fc.assert(
    fc.property(wants, fc.nat(100), (wanted, more) => {
      const ids = Object.keys(wanted);
      const budget = ids.length + more;
      const table = new Table();
      for (let round = 0; round < 5; round += 1) table.round(budget, wanted);
      const most = Math.max(...table.list);
      const sum = table.list.reduce((all, share) => all + share, 0);
      // What cannot be divided may be between two hands.
      assert.ok(sum <= budget && sum > budget - ids.length, `${sum} of ${budget}`);
      for (const [id, share] of table.held) {
        assert.ok(share >= 1, 'one each');
        if (share < (wanted[id] ?? 0)) assert.ok(most <= share + 1, `${id}: ${share}, not ${most}`);
      }
    }),
    { numRuns: 300 },
  );
});
