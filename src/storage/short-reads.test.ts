import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ShortReads } from './short-reads.ts';

const MB = 1_000_000;

function observed(count: number, bytes: number, ms: number): ShortReads {
  const reads = new ShortReads();
  for (let index = 0; index < count; index += 1) reads.observe(bytes, ms);
  return reads;
}

test('nothing is short before some reads have been seen', () => {
  assert.equal(observed(2, MB, 0.2).isShort(1), false);
  assert.equal(observed(3, MB, 0.2).isShort(MB), true);
});

test('at the rate of a slow disk only small reads are short', () => {
  const reads = observed(10, MB, 10);
  assert.equal(reads.isShort(MB), false);
  assert.equal(reads.isShort(MB / 20), true);
});

test('a read that was not short after all is held against the next ones, longer each time', () => {
  const reads = observed(3, MB, 0.2);
  const readsUntilTrusted = (): number => {
    for (let count = 0; ; count += 1) {
      if (reads.isShort(MB)) return count;
      reads.observe(MB, 0.2);
    }
  };
  reads.made(0.3);
  assert.equal(readsUntilTrusted(), 0);
  reads.made(40);
  assert.equal(readsUntilTrusted(), 64);
  reads.made(40);
  assert.equal(readsUntilTrusted(), 128);
});

test('one read among many that took long is not held against the next: the machine was busy', () => {
  const reads = observed(3, MB, 0.2);
  for (let count = 0; count < 20; count += 1) reads.made(0.3);
  reads.made(10);
  assert.equal(reads.isTrusting, true);
  for (let count = 0; count < 5; count += 1) reads.made(10);
  assert.equal(reads.isTrusting, false);
});

test('after many good reads a disappointment counts as the first', () => {
  const reads = observed(3, MB, 0.2);
  const disappoint = (): number => {
    reads.made(40);
    let count = 0;
    for (; !reads.isTrusting; count += 1) reads.passed();
    return count;
  };
  assert.deepEqual([disappoint(), disappoint()], [64, 128]);
  for (let count = 0; count < 64; count += 1) reads.made(0.3);
  assert.equal(disappoint(), 64);
});
