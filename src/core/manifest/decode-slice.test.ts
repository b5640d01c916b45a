import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { decodeSlice } from './decode-slice.ts';
import { encodeRecord, encodeRecords } from './encode.ts';
import { manifests } from '../../../test/support/manifests.ts';

test('a slice decodes to its records', () => {
  fc.assert(
    fc.property(manifests, fc.nat(30), fc.nat(30), (records, a, b) => {
      const start = Math.min(a, b, records.length);
      const slice = records.slice(start, Math.max(a, b));
      assert.deepEqual(decodeSlice(encodeRecords(slice), start), slice);
    }),
  );
});

test('a slice cut at another place than it says is refused', () => {
  const bytes = new TextEncoder().encode('5\t/a\t\t\t\n6\t/b\t\t\t\n');
  assert.equal(decodeSlice(bytes, 5).length, 2);
  assert.throws(
    () => decodeSlice(bytes, 4),
    /Line 6 of the manifest: it holds sample_id 5 where 4/,
  );
  assert.throws(() => decodeSlice(bytes.subarray(1), 5), /sample_id "" is|sample_id is empty/);
  assert.throws(() => decodeSlice(bytes.subarray(0, -1), 5), /cut off/);
});

test('a record without a canonical form is refused with its id', () => {
  const good = { sampleId: 3, location: '/a', byteOffset: 0, byteLength: 1, decodeHint: '' };
  const bad = [
    { ...good, location: 'a' },
    { ...good, location: '/a\tb' },
    { ...good, location: '/a\nb' },
    { ...good, location: '/\ud800' },
    { ...good, decodeHint: 'x\r' },
    { ...good, byteLength: 0 },
    { ...good, byteOffset: null },
    { ...good, byteOffset: -1 },
    { ...good, sampleId: 0.5 },
  ];
  assert.equal(encodeRecord(good), '3\t/a\t0\t1\t\n');
  for (const record of bad) {
    assert.throws(() => encodeRecord(record), /^Mx8Error: Sample .* cannot be written/);
  }
});
