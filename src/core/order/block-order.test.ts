import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { blockOrder, mix64 } from './block-order.ts';

const MASK = (1n << 64n) - 1n;

function mix64Reference(value: bigint): bigint {
  let x = (value + 0x9e3779b97f4a7c15n) & MASK;
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

test('mix64 in halves equals splitmix64 in BigInt', () => {
  const out = new Uint32Array(2);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: MASK }), (value) => {
      mix64(Number(value >> 32n), Number(value & 0xffffffffn), out);
      const actual = (BigInt(out[0] ?? 0) << 32n) | BigInt(out[1] ?? 0);
      assert.equal(actual, mix64Reference(value));
    }),
    { numRuns: 2000 },
  );
});

test('splitmix64 gives its published first output for seed 0', () => {
  assert.equal(mix64Reference(0n), 0xe220a8397b1dcdafn);
});

test('blocks are sorted by key of their start, ties by start', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 20 }),
      fc.bigInt({ min: 0n, max: MASK }),
      fc.integer({ min: 0, max: 0xffffffff }),
      (sampleCount, blockSize, seed, epoch) => {
        const key = (block: number): bigint =>
          mix64Reference(
            seed ^ ((BigInt(epoch) * 0x9e3779b97f4a7c15n) & MASK) ^ BigInt(block * blockSize),
          );
        const count = Math.ceil(sampleCount / blockSize);
        const expected = Array.from({ length: count }, (_, block) => block).sort((a, b) => {
          const [ka, kb] = [key(a), key(b)];
          return ka < kb ? -1 : ka > kb ? 1 : a - b;
        });
        const spec = { sampleCount, blockSize, seed, epoch };
        assert.deepEqual([...blockOrder({ ...spec, shuffle: true })], expected);
        assert.deepEqual(
          [...blockOrder({ ...spec, shuffle: false })],
          expected.toSorted((a, b) => a - b),
        );
      },
    ),
  );
});

test('starts above 2^32 keep their high half', () => {
  const spec = { sampleCount: 3 * 2 ** 40, blockSize: 2 ** 40, seed: 5n, epoch: 2, shuffle: true };
  const key = (start: bigint): bigint =>
    mix64Reference(5n ^ ((2n * 0x9e3779b97f4a7c15n) & MASK) ^ start);
  const expected = [0, 1, 2].sort((a, b) =>
    key(BigInt(a) << 40n) < key(BigInt(b) << 40n) ? -1 : 1,
  );
  assert.deepEqual([...blockOrder(spec)], expected);
});
