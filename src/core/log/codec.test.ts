import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeSlot, encodeSlot, identityOf, isSameEntry } from './entry-codec.ts';
import { decodeMark, encodeMark } from './log-view.ts';

const PAYLOAD = new TextEncoder().encode('some records');
const IDENTITY = identityOf(7, 3, 'nonce/7', PAYLOAD);

test('an entry comes back as it was', () => {
  const entry = decodeSlot(7, encodeSlot(IDENTITY, PAYLOAD));
  assert.deepEqual(entry.payload, PAYLOAD);
  assert(isSameEntry(entry, IDENTITY));
  for (const other of [
    identityOf(7, 4, 'nonce/7', PAYLOAD),
    identityOf(7, 3, 'nonce/8', PAYLOAD),
    identityOf(8, 3, 'nonce/7', PAYLOAD),
    identityOf(7, 3, 'nonce/7', PAYLOAD.subarray(1)),
  ]) {
    assert(!isSameEntry(entry, other));
  }
});

test('every flipped bit of an entry is refused with its number', () => {
  const bytes = encodeSlot(IDENTITY, PAYLOAD);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => decodeSlot(7, flipped), /entry 7 /, `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeSlot(7, bytes.slice(0, length)), {
      code: 'coordinator_state_invalid',
    });
  }
});

test('an entry that stands in another slot is refused', () => {
  const bytes = encodeSlot(IDENTITY, PAYLOAD);
  assert.throws(() => decodeSlot(8, bytes), /entry 8 does not match its checksum/);
});

test('an entry of a newer version is refused as such', () => {
  const bytes = encodeSlot(IDENTITY, PAYLOAD);
  bytes[2] = 2;
  assert.throws(() => decodeSlot(7, bytes), { code: 'coordinator_state_newer' });
});

test('a mark that was changed, moved or is newer is refused with its key', () => {
  const value = encodeMark('tail', { seq: 12 });
  const pair = { key: 'tail', value, createRevision: 1, modRevision: 5 };
  assert.deepEqual(decodeMark(pair, { seq: 0 }), { seq: 12, revision: 5 });
  assert.deepEqual(decodeMark(undefined, { seq: 0 }), { seq: 0, revision: 0 });
  assert.throws(
    () => decodeMark({ ...pair, key: 'trim' }, { seq: 0 }),
    /the key "trim" does not match/,
  );
  for (let bit = 0; bit < value.length * 8; bit += 1) {
    const flipped = value.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(
      () => decodeMark({ ...pair, value: flipped }, { seq: 0 }),
      /the key "tail"/,
      `bit ${bit}`,
    );
  }
  const newer = new TextEncoder().encode(new TextDecoder().decode(value).replace('/1 ', '/2 '));
  assert.throws(() => decodeMark({ ...pair, value: newer }, { seq: 0 }), {
    code: 'coordinator_state_newer',
  });
});
