import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { leaseId, monoMs, nodeId } from '../core/base/units.ts';
import { longOf } from './fields.ts';
import { wireType } from './schema.ts';
import { encodeLiveLeases } from './v0-live-leases.ts';
import type { ListedLease } from './v0-live-leases.ts';

const NOW_UNIX_MS = 1_795_000_000_000;
const whole = fc.oneof(fc.nat(300), fc.maxSafeNat());

const MOMENT = { nowMs: monoMs(5000), nowUnixMs: NOW_UNIX_MS };

const leases: fc.Arbitrary<ListedLease> = fc
  .record({
    position: fc.record({ epoch: fc.nat(), seq: whole, index: fc.nat() }),
    node: fc.stringMatching(/^[\x21-\x7e]{1,128}$/),
    start: whole,
    end: whole,
    cursor: whole,
    expiresInMs: fc.nat(1e9),
  })
  .map(({ position, node, expiresInMs, ...range }) => ({
    ...{ leaseId: leaseId(position), nodeId: nodeId(node), ...range },
    deadlineMs: monoMs(MOMENT.nowMs + expiresInMs),
  }));

test('the leases of a v0 snapshot are the bytes that the schema makes of them', () => {
  const response = wireType('mx8.v0.GetJobSnapshotResponse');
  fc.assert(
    fc.property(fc.array(leases), fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(), (some, seed, epoch) => {
      const liveLeases = some.map((one) => ({
        ...{ leaseId: one.leaseId, nodeId: one.nodeId, cursor: one.cursor },
        range: { startId: one.start, endId: one.end, epoch, seed: longOf(seed) },
        expiresUnixTimeMs: NOW_UNIX_MS + one.deadlineMs - MOMENT.nowMs,
      }));
      const around = [
        response.encode({ worldSize: 3 }),
        response.encode({ counters: {} }),
      ] as const;
      const list = { size: some.length, values: () => some };
      const bytes = encodeLiveLeases(list, { epoch, seed }, MOMENT, around);
      assert.equal(
        bytes.toString('hex'),
        response.encode({ worldSize: 3, liveLeases, counters: {} }).toString('hex'),
      );
    }),
  );
});

test('what was encoded stays as it is when the next snapshot is', () => {
  const lease = (id: string): ListedLease => ({
    ...{ leaseId: leaseId({ epoch: 1, seq: 2, index: 3 }), nodeId: nodeId(id) },
    ...{ start: 0, end: 10, cursor: 5, deadlineMs: MOMENT.nowMs },
  });
  const bytesOf = (id: string): Buffer => {
    const list = { size: 1, values: () => [lease(id)] };
    return encodeLiveLeases(list, { epoch: 0, seed: 0n }, MOMENT, [
      Buffer.alloc(0),
      Buffer.alloc(0),
    ]);
  };
  const first = bytesOf('aaaa');
  const asItWas = first.toString('hex');
  assert.notEqual(bytesOf('bbbb').toString('hex'), asItWas);
  assert.equal(first.toString('hex'), asItWas);
});
