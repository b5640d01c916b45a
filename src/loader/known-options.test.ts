import assert from 'node:assert/strict';
import test from 'node:test';

import { checkArguments } from './known-options.ts';

const refusals: readonly (readonly [unknown, unknown, RegExp])[] = [
  ['./in', { batchsize: 64 }, /no option "batchsize"; did you mean batchSize\?/],
  ['./in', { batch_size: 64 }, /no option "batch_size"; did you mean batchSize\?/],
  ['./in', { prefetch: 2 }, /no option "prefetch"; did you mean prefetchBatches\?/],
  ['./in', { toString: 2 }, /no option "toString"/],
  ['./in', { workers: 2 }, /no option "workers"; it has batchSize, .*events/],
  ['./in', { batchSize: '64' }, /batchSize is a number, not "64"/],
  ['./in', { shuffle: 1 }, /shuffle is a boolean, not 1/],
  ['./in', { seed: 'x' }, /seed is a bigint or a number, not "x"/],
  ['./in', { signal: null }, /signal is an object, not null/],
  ['./in', null, /the options are an object, not null/],
  [undefined, {}, /the link is a text such as '\.\/photos', not undefined/],
];

for (const [link, options, sentence] of refusals) {
  test(`load() refuses ${JSON.stringify([link, options])} and says what it takes`, () => {
    assert.throws(() => checkArguments(link, options), {
      code: 'load_options_invalid',
      message: sentence,
    });
  });
}

test('every option may be given as undefined, and each kind of value passes', () => {
  checkArguments('./in', {
    batchSize: undefined,
    seed: 7n,
    epoch: 1,
    resume: new Uint8Array(1),
    shuffle: false,
    onSampleError: () => 'fail',
    signal: new AbortController().signal,
  });
});
