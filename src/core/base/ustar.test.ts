import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { Mx8Error } from './errors.ts';
import { decodeUstarHeader, encodeUstarHeader, paddedLength } from './ustar.ts';

function field(block: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...block.subarray(at, at + length));
}

function isCorrupt(error: unknown): boolean {
  return error instanceof Mx8Error && error.code === 'shard_corrupt';
}

test('a header carries mode 0644, owner 0, time 0 and ustar version 00 in its fixed places', () => {
  const block = encodeUstarHeader({ name: '00000000000000000007.jpg', size: 1234 });
  assert.equal(block.length, 512);
  assert.equal(field(block, 0, 25), '00000000000000000007.jpg\0');
  assert.equal(
    field(block, 100, 48),
    '0000644\x000000000\x000000000\x0000000002322\x0000000000000\0',
  );
  // As GNU tar and Python's tarfile compute it for the same header.
  assert.equal(field(block, 148, 8), '010434\0 ');
  assert.equal(field(block, 156, 1), '0');
  assert.equal(field(block, 257, 8), 'ustar\x0000');
  assert.ok(block.subarray(265).every((byte) => byte === 0));
});

test('what was encoded is decoded, with names split where they are long', () => {
  const part = fc.stringMatching(/^[a-zé0-9._-]{1,40}$/);
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 8 ** 11 - 1 }),
      (parts, size) => {
        const name = parts.join('/');
        fc.pre(new TextEncoder().encode(parts.at(-1) ?? '').length <= 100);
        fc.pre(new TextEncoder().encode(name).length <= 140);
        assert.deepEqual(decodeUstarHeader(encodeUstarHeader({ name, size })), { name, size });
      },
    ),
    { numRuns: 300 },
  );
});

test('a zero block is the end of an archive', () => {
  assert.equal(decodeUstarHeader(new Uint8Array(512)), null);
});

test('any changed byte of name, numbers or mark is refused', () => {
  const block = encodeUstarHeader({ name: '00000000000000000000.bin', size: 99 });
  for (const at of [0, 23, 100, 130, 148, 156, 257, 263, 400]) {
    const damaged = block.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    assert.throws(() => decodeUstarHeader(damaged), isCorrupt, `byte ${at}`);
  }
  assert.throws(() => decodeUstarHeader(block.subarray(1)), isCorrupt);
});

test('a name or size that USTAR cannot write is refused', () => {
  const refusals = [
    { name: 'x'.repeat(101), size: 1 },
    { name: `${'d'.repeat(156)}/x`, size: 1 },
    { name: '', size: 1 },
    { name: 'a\0b', size: 1 },
    { name: 'a', size: 8 ** 11 },
    { name: 'a', size: -1 },
  ];
  for (const entry of refusals) {
    assert.throws(
      () => encodeUstarHeader(entry),
      (error) => error instanceof Mx8Error && error.code === 'row_invalid',
    );
  }
});

test('data are padded to whole blocks', () => {
  assert.deepEqual([0, 1, 511, 512, 513].map(paddedLength), [0, 512, 512, 512, 1024]);
});
