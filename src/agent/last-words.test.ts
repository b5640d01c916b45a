import assert from 'node:assert/strict';
import test from 'node:test';
import { shortened } from './last-words.ts';
import { LAST_WORDS_CHARS_MAX } from './limits.ts';

test('words that are too long keep what happened at the beginning and where at the end', () => {
  const long = `RangeError: too wide ${'x'.repeat(2000)} (at /jobs/a.job.ts:8:7)`;
  const short = shortened(long);
  assert.ok(`a promise that nobody awaits was rejected: ${short}`.length <= LAST_WORDS_CHARS_MAX);
  assert.match(short, /^RangeError: too wide x+ … x+ \(at \/jobs\/a\.job\.ts:8:7\)$/);
  assert.equal(shortened('short'), 'short');
});
