import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { staleOf } from './retention.ts';

const RETENTION = { restMs: 10, keepMs: 100, capBytes: 50 };
const NOW = 1000;

function thing(usedUnixMs: number, bytes: number): { usedUnixMs: number; bytes: number } {
  return { usedUnixMs, bytes };
}

test('what nobody used for long goes, and then what was used longest ago until the rest is small enough', () => {
  const things = [thing(980, 30), thing(700, 1), thing(950, 30), thing(940, 30), thing(900, 1)];
  assert.deepEqual(staleOf(things, RETENTION, NOW), [
    thing(700, 1),
    thing(900, 1),
    thing(940, 30),
    thing(950, 30),
  ]);
  assert.deepEqual(staleOf(things.slice(2, 3), RETENTION, NOW), []);
});

test('what was used lately stays, however much it takes, and so does what was used in the future', () => {
  assert.deepEqual(staleOf([thing(991, 1e9), thing(5000, 1e9)], RETENTION, NOW), []);
});

test('nothing goes that could stay, and nothing used later goes before something used earlier', () => {
  const things = fc.array(
    fc.record({ usedUnixMs: fc.integer({ min: 800, max: 1100 }), bytes: fc.nat(40) }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(things, (all) => {
      const stale = new Set(staleOf(all, RETENTION, NOW));
      const left = all.filter((one) => !stale.has(one));
      const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
      const oldestLeftMs = Math.min(...left.map((one) => one.usedUnixMs));
      for (const one of stale) {
        assert.ok(one.usedUnixMs <= oldestLeftMs && NOW - one.usedUnixMs >= RETENTION.restMs);
        const isOld = NOW - one.usedUnixMs >= RETENTION.keepMs;
        const hasRoom = [...stale].at(-1) === one && bytes + one.bytes <= RETENTION.capBytes;
        assert.ok(isOld || !hasRoom);
      }
      const isOver = bytes > RETENTION.capBytes;
      assert.ok(!isOver || NOW - oldestLeftMs < RETENTION.restMs);
    }),
  );
});
