import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { snappyUncompress } from 'hyparquet';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';

import { SnappyBlock, snappyBlock } from './snappy.ts';

function unpacked(packed: Uint8Array, pieceBytes: number, chunkBytes = 100): Buffer {
  const block = new SnappyBlock(chunkBytes);
  const parts: Buffer[] = [];
  for (let at = 0; at < packed.length; at += pieceBytes) {
    for (const part of block.push(packed.subarray(at, at + pieceBytes))) {
      assert.ok(part.length <= 64 * 1024 + chunkBytes);
      parts.push(Buffer.from(part));
    }
  }
  block.finish();
  assert.equal(block.taken, packed.length);
  return Buffer.concat(parts);
}

/** Null: it is refused. */
function wholeOf(packed: Uint8Array, length: number): Uint8Array | null {
  const output = new Uint8Array(length);
  try {
    snappyBlock(packed, output);
    return output;
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return null;
  }
}

/** Texts that repeat themselves near and far. */
const texts = fc
  .array(fc.tuple(fc.string({ maxLength: 30 }), fc.integer({ min: 1, max: 3000 })), {
    maxLength: 20,
  })
  .map((parts) => Buffer.from(parts.map(([text, times]) => text.repeat(times)).join('')));

test('what is compressed comes back, in whatever pieces it comes', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 5000 }), (bytes, pieceBytes) => {
      const packed = snappyCompress(bytes);
      assert.equal(Buffer.compare(unpacked(packed, pieceBytes), bytes), 0);
      assert.equal(Buffer.compare(wholeOf(packed, bytes.length) ?? Buffer.of(0), bytes), 0);
    }),
    { numRuns: 60 },
  );
});

test('any bytes are taken or refused as the library does, and nothing else comes out', () => {
  const element = fc.oneof(
    fc
      .uint8Array({ minLength: 1, maxLength: 60 })
      .map((bytes) => [(bytes.length - 1) << 2, ...bytes]),
    fc
      .uint8Array({ minLength: 61, maxLength: 200 })
      .map((bytes) => [60 << 2, bytes.length - 1, ...bytes]),
    fc
      .tuple(fc.nat(63), fc.nat(300))
      .map(([length, far]) => [(length << 2) | 2, far & 255, far >> 8]),
    fc
      .tuple(fc.nat(7), fc.nat(300))
      .map(([length, far]) => [((far >> 8) << 5) | (length << 2) | 1, far & 255]),
    fc
      .tuple(fc.nat(63), fc.nat(300))
      .map(([length, far]) => [(length << 2) | 3, far & 255, far >> 8, 0, 0]),
  );
  const blocks = fc.tuple(fc.nat(127), fc.array(element, { maxLength: 6 }), fc.nat(3));
  let taken = 0;
  fc.assert(
    fc.property(blocks, fc.integer({ min: 1, max: 40 }), ([length, elements, cut], pieceBytes) => {
      const packed = Uint8Array.from([length, ...elements.flat().slice(0, -cut || undefined)]);
      const expected = new Uint8Array(length);
      let isRefused = false;
      try {
        snappyUncompress(packed, expected);
      } catch {
        isRefused = true;
      }
      const whole = wholeOf(packed, length);
      if (whole === null) assert.ok(isRefused);
      else if (!isRefused) assert.deepEqual(whole, expected);
      try {
        const bytes = unpacked(packed, pieceBytes);
        taken += 1;
        if (!isRefused) assert.deepEqual(bytes, Buffer.from(expected));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(taken > 0);
});

test('damage says what is wrong', () => {
  const packed = snappyCompress(Buffer.from('hello hello hello hello hello'));
  assert.throws(() => unpacked(packed.subarray(0, -1), 7), /ends after \d+ bytes instead of 29/);
  assert.throws(() => unpacked(Uint8Array.of(), 1), /instead of its length/);
  assert.throws(
    () => unpacked(Uint8Array.of(255, 255, 255, 255, 255, 1), 6),
    /no length at its start/,
  );
  assert.throws(
    () => unpacked(Uint8Array.of(4, 0, 65, 0x0d, 2), 5),
    /a copy from 2 bytes back, of 1/,
  );
  assert.throws(
    () => unpacked(Uint8Array.of(1, 4, 65, 66), 4),
    /more than the 1 bytes that it says/,
  );
});

test('a block with bytes of its own of more than 31 bits is refused, in which the library would go back for ever', () => {
  const back = Uint8Array.of(4, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 65, 66, 67, 68);
  assert.throws(() => snappyBlock(back, new Uint8Array(4)), /more than the 10 bytes/);
  const far = Uint8Array.of(4, 0, 65, (2 << 2) | 3, 0xff, 0xff, 0xff, 0xff);
  assert.throws(() => snappyBlock(far, new Uint8Array(4)), /a copy from 4294967295 bytes back/);
});
