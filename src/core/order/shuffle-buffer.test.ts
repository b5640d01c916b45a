import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { LineBlocks } from './line-blocks.ts';
import { SHUFFLE_START_SAMPLES } from './limits.ts';
import { ShuffleBuffer } from './shuffle-buffer.ts';
import type { Block, ShuffleBufferSpec } from './shuffle-buffer.ts';

const MASK = (1n << 64n) - 1n;

function splitmix64(value: bigint): bigint {
  let x = (value + 0x9e3779b97f4a7c15n) & MASK;
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

/** The order in words as plain as they can be: numbers of blocks 0, 1, 2, …, each as it comes out. */
function reference(blocks: number, spec: ShuffleBufferSpec): number[] {
  const size = Math.ceil(spec.samples / spec.blockSize);
  const start = Math.min(size, Math.ceil(SHUFFLE_START_SAMPLES / spec.blockSize));
  const base = splitmix64(spec.seed ^ ((BigInt(spec.epoch) * 0x9e3779b97f4a7c15n) & MASK));
  const held: number[] = [];
  const out: number[] = [];
  const draw = (): void => {
    const fraction = Number(splitmix64(base ^ BigInt(out.length)) >> 11n) / 2 ** 53;
    const slot = Math.floor(fraction * held.length);
    out.push(held[slot] ?? -1);
    const last = held.pop();
    if (slot < held.length && last !== undefined) held[slot] = last;
  };
  for (let block = 0; block < blocks; block += 1) {
    held.push(block);
    const comers = block + 1;
    if (held.length === size || (comers >= start && (comers - start) % 2 === 0)) draw();
  }
  while (held.length > 0) draw();
  return out;
}

/** What comes out after each that went in, and at last what comes out at the end. */
function run(samples: number, spec: ShuffleBufferSpec): { order: Block[]; heldMax: number } {
  const buffer = new ShuffleBuffer(spec);
  const order: Block[] = [];
  let heldMax = 0;
  const put = (block: Block): void => {
    const out = buffer.push(block);
    heldMax = Math.max(heldMax, buffer.held + (out === null ? 0 : 1));
    if (out !== null) order.push(out);
  };
  for (const block of blocksOf(samples, spec.blockSize)) put(block);
  for (let out = buffer.pop(); out !== null; out = buffer.pop()) order.push(out);
  return { order, heldMax };
}

function blocksOf(samples: number, blockSize: number): Block[] {
  return Array.from({ length: Math.ceil(samples / blockSize) }, (_, block) => {
    const first = block * blockSize;
    const count = Math.min(blockSize, samples - first);
    const stamp = { bytes: first * 3, mtimeMs: first / 4 };
    return { first, count, from: 17 + first * 30, to: 17 + (first + count) * 30, ...stamp };
  });
}

const specs = fc.record({
  samples: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 })),
  blockSize: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })),
  seed: fc.bigInt({ min: 0n, max: MASK }),
  epoch: fc.integer({ min: 0, max: 0xffffffff }),
});

test('the order is that of the description, each block once, whatever the sizes are', () => {
  const near = fc.integer({ min: -2, max: 2 });
  fc.assert(
    fc.property(specs, fc.nat(2500), near, (spec, any, offset) => {
      for (const samples of [0, 1, Math.max(0, spec.samples + offset), any]) {
        const { order } = run(samples, spec);
        const all = blocksOf(samples, spec.blockSize);
        assert.deepEqual(
          order.map(({ first }) => first / spec.blockSize),
          reference(all.length, spec),
        );
        assert.deepEqual(
          order.toSorted((a, b) => a.first - b.first),
          all,
        );
      }
    }),
  );
});

test('it never holds more than its size, and gets to it where enough comes', () => {
  fc.assert(
    fc.property(specs, fc.nat(2500), (spec, samples) => {
      const size = Math.ceil(spec.samples / spec.blockSize);
      const { heldMax } = run(samples, spec);
      assert.ok(heldMax <= size, `${heldMax} of ${size}`);
      const blocks = Math.ceil(samples / spec.blockSize);
      if (blocks >= 2 * size) assert.equal(heldMax, size);
    }),
  );
});

test('seeds and epochs that are neighbours give orders that have nothing to do with each other', () => {
  const spec = { samples: 1000, blockSize: 1, seed: 0n, epoch: 0 };
  const orders = [spec, { ...spec, seed: 1n }, { ...spec, epoch: 1 }].map((of) =>
    run(5000, of).order.map(({ first }) => first),
  );
  for (const [index, order] of orders.entries()) {
    for (const other of orders.slice(index + 1)) {
      const same = order.filter((id, place) => other[place] === id).length;
      assert.ok(same < 40, `${same} of 5000 samples at the same place`);
    }
  }
});

test('every slot is as likely as any other', () => {
  // Which of 64 comes out first, over many seeds: 64 counts around 500, six sigma is 134.
  const counts = new Uint32Array(64);
  for (let seed = 0; seed < 32_000; seed += 1) {
    const buffer = new ShuffleBuffer({ samples: 64, blockSize: 1, seed: BigInt(seed), epoch: 0 });
    for (const block of blocksOf(64, 1)) {
      const out = buffer.push(block);
      if (out !== null) counts[out.first] = (counts[out.first] ?? 0) + 1;
    }
  }
  assert.ok(Math.min(...counts) > 366 && Math.max(...counts) < 634, `${counts.join(' ')}`);
});

test('lines make the same blocks in whatever pieces they come', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 5, max: 90 }), { maxLength: 200 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (lengths, blockSize, cuts) => {
        const starts = [17];
        for (const length of lengths) starts.push((starts.at(-1) ?? 0) + length);
        const expected = Array.from({ length: Math.ceil(lengths.length / blockSize) }, (_, at) => {
          const first = at * blockSize;
          const end = Math.min(first + blockSize, lengths.length);
          const stamp = { bytes: first * 3, mtimeMs: -1 };
          return { first, count: end - first, from: starts[first], to: starts[end], ...stamp };
        });
        const made = new LineBlocks(blockSize);
        const found: Block[] = [];
        for (let first = 0, turn = 0; first < lengths.length; turn += 1) {
          const count = Math.min(cuts[turn % cuts.length] ?? 1, lengths.length - first);
          const at = starts[first] ?? 0;
          const ends = starts.slice(first + 1, first + count + 1).map((end) => end - at);
          const ids = Array.from({ length: count }, (_, line) => first + line);
          const stamps = { bytes: ids.map((id) => id * 3), mtimesMs: ids.map(() => -1) };
          found.push(...made.push({ first, count, at, ends, stamps }));
          first += count;
        }
        const last = made.finish();
        if (last !== null) found.push(last);
        assert.deepEqual(found, expected);
      },
    ),
  );
});
