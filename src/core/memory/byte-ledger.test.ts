import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ByteLedger, slabCapacityBytes } from './byte-ledger.ts';
import type { SlabGrant } from './byte-ledger.ts';

const CAP = 1024 * 1024;

function only(grants: readonly SlabGrant[]): SlabGrant {
  assert.equal(grants.length, 1);
  const [grant] = grants;
  assert.ok(grant);
  return grant;
}

test('a released slab is used again for a batch of nearly the same size', () => {
  const ledger = new ByteLedger(CAP);
  const first = only(ledger.request(100_000).grants);
  assert.equal(first.reused, false);
  ledger.release(first.slabId);
  const second = only(ledger.request(98_000).grants);
  assert.equal(second.slabId, first.slabId);
  assert.equal(second.reused, true);
});

test('a slab much larger than the batch is not spent on it', () => {
  const ledger = new ByteLedger(CAP);
  const large = only(ledger.request(400_000).grants);
  ledger.release(large.slabId);
  const small = only(ledger.request(10_000).grants);
  assert.equal(small.reused, false);
  assert.deepEqual(small.dropped, []);
});

test('free slabs are dropped when a new one would pass the cap', () => {
  const ledger = new ByteLedger(CAP);
  const large = only(ledger.request(CAP).grants);
  ledger.release(large.slabId);
  const small = only(ledger.request(10_000).grants);
  assert.deepEqual(small.dropped, [large.slabId]);
  assert.equal(ledger.freeBytes, 0);
});

test('requests are served in order even where a later one would fit', () => {
  const ledger = new ByteLedger(CAP);
  const held = only(ledger.request(CAP / 2).grants);
  const big = ledger.request(CAP);
  const small = ledger.request(4096);
  assert.deepEqual(big.grants, []);
  assert.deepEqual(small.grants, []);
  const granted = only(ledger.release(held.slabId));
  assert.equal(granted.ticket, big.ticket);
  assert.equal(only(ledger.release(granted.slabId)).ticket, small.ticket);
});

test('cancelling the first request lets the next one through', () => {
  const ledger = new ByteLedger(CAP);
  ledger.request(CAP / 2);
  const big = ledger.request(CAP);
  const small = ledger.request(4096);
  assert.equal(only(ledger.cancel(big.ticket)).ticket, small.ticket);
});

test('a sample as large as the cap fits, one byte more is a bug of the caller', () => {
  const ledger = new ByteLedger(CAP);
  assert.equal(only(ledger.request(CAP).grants).capacityBytes, CAP);
  assert.throws(() => ledger.request(CAP + 1), /fits the cap/);
});

test('a new slab wastes at most an eighth', () => {
  fc.assert(
    fc.property(fc.integer({ min: 32_768, max: 2 ** 40 }), (bytes) => {
      const capacity = slabCapacityBytes(bytes, Number.MAX_SAFE_INTEGER);
      assert.ok(capacity >= bytes && capacity <= bytes * 1.125 + 1);
    }),
  );
});

test('whatever is asked, released, forgotten and cancelled, the cap holds and nobody starves', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('request' as const), bytes: fc.integer({ min: 1, max: CAP }) }),
    fc.record({
      do: fc.constantFrom('release' as const, 'forget' as const, 'cancel' as const),
      pick: fc.nat(),
    }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const ledger = new ByteLedger(CAP);
      const held: number[] = [];
      const waiting: { ticket: number; bytes: number }[] = [];
      const take = (grants: readonly SlabGrant[]): void => {
        for (const grant of grants) {
          const first = waiting.shift();
          assert.equal(grant.ticket, first?.ticket);
          assert.ok(grant.capacityBytes >= (first?.bytes ?? Infinity));
          held.push(grant.slabId);
        }
      };
      for (const step of actions) {
        if (step.do === 'request') {
          const { ticket, grants } = ledger.request(step.bytes);
          waiting.push({ ticket, bytes: step.bytes });
          take(grants);
        } else if (step.do === 'cancel') {
          const [gone] = waiting.splice(step.pick % (waiting.length + 1), 1);
          if (gone !== undefined) take(ledger.cancel(gone.ticket));
        } else {
          const [slabId] = held.splice(step.pick % (held.length + 1), 1);
          if (slabId !== undefined) take(ledger[step.do](slabId));
        }
        ledger.assertInvariants();
      }
      while (held.length > 0) take(ledger.release(held.shift() ?? -1));
      assert.equal(waiting.length, 0);
      assert.equal(ledger.heldBytes, 0);
    }),
  );
});
