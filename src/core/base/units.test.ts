import assert from 'node:assert/strict';
import test from 'node:test';
import { leaseId, parseLeaseId } from './units.ts';

test('a lease id is the place of its grant, up to the largest numbers', () => {
  const places = [
    { epoch: 0, seq: 0, index: 0 },
    { epoch: 12, seq: 3405, index: 67 },
    { epoch: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER, index: 4_294_967_295 },
  ];
  for (const place of places) assert.deepEqual(parseLeaseId(leaseId(place)), place);
});

test('what is no lease id names no place', () => {
  for (const text of ['', '1.2', '1.2.3.4', '01.2.3', '1.2.-3', '1.2.3 ', 'a.b.c', '1..3']) {
    assert.equal(parseLeaseId(text), null, text);
  }
});
