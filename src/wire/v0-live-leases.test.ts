import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { jobSnapshot } from '../../test/support/tui-models.ts';
import { leaseId, nodeId } from '../core/base/units.ts';
import type { LiveLease } from '../core/job/protocol.ts';
import { longOf } from './fields.ts';
import { wireType } from './schema.ts';
import { encodeLiveLeases } from './v0-live-leases.ts';

const NOW_UNIX_MS = 1_795_000_000_000;
const whole = fc.oneof(fc.nat(300), fc.maxSafeNat());

const leases: fc.Arbitrary<LiveLease> = fc
  .record({
    position: fc.record({ epoch: fc.nat(), seq: whole, index: fc.nat() }),
    node: fc.stringMatching(/^[\x21-\x7e]{1,128}$/),
    start: whole,
    end: whole,
    cursor: whole,
    expiresInMs: fc.nat(1e9),
  })
  .map(({ position, node, start, end, cursor, expiresInMs }) => ({
    ...{ leaseId: leaseId(position), nodeId: nodeId(node), range: { start, end }, cursor },
    ...{ expiresInMs, deliveredCursor: cursor, stillMs: 0 },
  }));

test('the leases of a v0 snapshot are the bytes that the schema makes of them', () => {
  const response = wireType('mx8.v0.GetJobSnapshotResponse');
  const { spec: any } = jobSnapshot(1);
  fc.assert(
    fc.property(fc.array(leases), fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(), (some, seed, epoch) => {
      const spec = { ...any, seed, epoch };
      const liveLeases = some.map(({ leaseId: id, nodeId: node, range, cursor, expiresInMs }) => ({
        ...{ leaseId: id, nodeId: node, cursor },
        range: { startId: range.start, endId: range.end, epoch, seed: longOf(seed) },
        expiresUnixTimeMs: NOW_UNIX_MS + expiresInMs,
      }));
      const around = [
        response.encode({ worldSize: 3 }),
        response.encode({ counters: {} }),
      ] as const;
      const bytes = encodeLiveLeases({ liveLeases: some, spec }, NOW_UNIX_MS, around);
      assert.equal(
        bytes.toString('hex'),
        response.encode({ worldSize: 3, liveLeases, counters: {} }).toString('hex'),
      );
    }),
  );
});
