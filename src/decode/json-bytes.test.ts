import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { JsonBytes } from './json-bytes.ts';

const out = new JsonBytes();
const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);

function written(write: () => void): string {
  out.empty();
  write();
  return Buffer.from(out.bytes.subarray(0, out.length)).toString();
}

function assertFloat(): void {
  const [value = 0] = floats;
  const expected = Number.isFinite(value) ? `${value}` : `"${value}"`;
  const got = written(() => out.float32(value, bits[0] ?? 0));
  if (got !== expected) assert.equal(got, expected, `bits ${bits[0]}`);
}

test('a number of 32 bits has the digits of JavaScript, whatever its bits', () => {
  const edges = [
    0,
    -0,
    1,
    -1,
    0.5,
    0.1,
    1e-6,
    9.9e-7,
    2 ** -19,
    1 / 3,
    2 ** 23 - 0.5,
    2 ** 24,
    3e38,
  ];
  for (const value of [...edges, NaN, Infinity, -Infinity, 1e-45, 0.001, 0.999]) {
    floats[0] = value;
    assertFloat();
  }
  let seed = 1;
  for (let count = 0; count < 200_000; count += 1) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) | 0;
    const fraction = Math.imul(seed, 0x9e37_79b1) >>> 9;
    // Every exponent, and those of numbers that are neither large nor small more often.
    const exponent = count % 3 === 0 ? seed >>> 24 : 100 + ((seed >>> 20) % 50);
    // Some with few bits, whose digits end early.
    const mask = count % 7 === 0 ? -1 << (count % 23) : -1;
    bits[0] = ((seed & 0x8000_0000) | (exponent << 23) | fraction) & mask;
    assertFloat();
    floats[0] = (count % 20_000) / 1000;
    assertFloat();
  }
});

test('whole numbers and others are as JavaScript writes them', () => {
  const safe = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -2e9, max: 2e9 }));
  fc.assert(
    fc.property(safe, fc.double(), (whole, any) => {
      assert.equal(
        written(() => out.whole(whole)),
        `${whole}`,
      );
      const text = Number.isFinite(any) ? `${any}` : `"${any}"`;
      assert.equal(
        written(() => out.number(any)),
        text,
      );
    }),
    { numRuns: 2000 },
  );
});
