import assert from 'node:assert/strict';
import { test } from 'node:test';

import { editDistance, nearest } from './nearest.ts';

test('the distance counts insertions, deletions, replacements and swaps', () => {
  assert.equal(editDistance('resolve', 'resolve'), 0);
  assert.equal(editDistance('resolv', 'resolve'), 1);
  assert.equal(editDistance('reslove', 'resolve'), 1);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('a word near a candidate is matched, one far from all is not', () => {
  const commands = ['run', 'resolve', 'verify', 'status', 'coordinator'];
  assert.equal(nearest('reslove', commands), 'resolve');
  assert.equal(nearest('stat', commands), 'status');
  assert.equal(nearest('coord', commands), 'coordinator');
  assert.equal(nearest('rum', commands), 'run');
  assert.equal(nearest('banana', commands), null);
});
