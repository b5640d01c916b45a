import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SizeGuess } from './size-guess.ts';

test('the first batch is measured, the next ones are guessed with a margin', () => {
  const guess = new SizeGuess();
  assert.equal(guess.reserveBytes(64, 1e9), null);
  guess.observe(64, 64_000);
  assert.equal(guess.reserveBytes(64, 1e9), 80_000);
});

test('where the byte target would end the batch, sizes are measured', () => {
  const guess = new SizeGuess();
  guess.observe(64, 64_000);
  assert.equal(guess.reserveBytes(64, 79_999), null);
});

test('a guess that failed makes the next ones wider, after some that are measured', () => {
  const guess = new SizeGuess();
  guess.observe(1, 1000);
  guess.missed();
  const answers = [1, 2, 3, 4, 5].map(() => guess.reserveBytes(1, 1e9));
  assert.deepEqual(answers, [null, null, null, null, 1875]);
});
