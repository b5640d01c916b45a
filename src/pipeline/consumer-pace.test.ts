import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConsumerPace } from './consumer-pace.ts';

function after(pace: ConsumerPace, count: number, ms: number): boolean {
  for (let index = 0; index < count; index += 1) pace.cameBack(ms);
  return pace.isQuick;
}

test('a consumer that looks at its batches and comes back is quick, one with work of its own is not', () => {
  const pace = new ConsumerPace();
  assert.equal(pace.isQuick, true);
  assert.equal(after(pace, 100, 0.01), true);
  assert.equal(after(pace, 100, 0.5), false);
  assert.equal(after(pace, 100, 0.01), true);
});

test('one batch that it kept for long is not held against it', () => {
  const pace = new ConsumerPace();
  after(pace, 100, 0.01);
  assert.equal(after(pace, 1, 1_000), true);
  assert.equal(after(pace, 10, 1_000), false);
});

test('between quick and slow it stays what it was', () => {
  const pace = new ConsumerPace();
  assert.equal(after(pace, 100, 0.075), true);
  after(pace, 100, 0.2);
  assert.equal(after(pace, 100, 0.075), false);
});
