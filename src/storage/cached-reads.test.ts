import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CachedReads } from './cached-reads.ts';

const BATCH_BYTES = 1_300_000;

function made(reads: CachedReads, count: number, ms: number): boolean {
  for (let index = 0; index < count; index += 1) reads.made(BATCH_BYTES, ms);
  return reads.isTrusting;
}

test('reads as fast as memory is copied are trusted, those of a disk are not', () => {
  assert.equal(made(new CachedReads(), 100, 0.15), true);
  assert.equal(made(new CachedReads(), 100, 1.5), false);
});

test('one read for which the thread stood still is not held against the next', () => {
  const reads = new CachedReads();
  made(reads, 10, 0.15);
  assert.equal(made(reads, 1, 4), true);
});

test('one that took much longer than any thread stands still is', () => {
  const reads = new CachedReads();
  made(reads, 10, 0.15);
  assert.equal(made(reads, 1, 20), false);
});

test('after some reads by others they are trusted again', () => {
  const reads = new CachedReads();
  made(reads, 1, 20);
  let passed = 0;
  for (; !reads.isTrusting; passed += 1) reads.passed();
  assert.equal(passed, 64);
});
