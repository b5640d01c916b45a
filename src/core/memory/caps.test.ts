import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkCaps, defaultInflightBytes } from './caps.ts';
import type { Caps } from './caps.ts';

const MIB = 1024 ** 2;
const good: Caps = {
  batchSize: 64,
  maxInflightBytes: 64 * MIB,
  prefetchBatches: 2,
  maxQueueBatches: 4,
  rssCapBytes: 512 * MIB,
};

test('caps that fit each other are accepted', () => {
  assert.equal(checkCaps(good), null);
  assert.equal(checkCaps({ ...good, rssCapBytes: null }), null);
});

const conflicts: readonly (readonly [string, Partial<Caps>, RegExp])[] = [
  ['a batch size of 0', { batchSize: 0 }, /batch_size is 0/],
  ['half a sample', { batchSize: 0.5 }, /batch_size is 0\.5/],
  ['no prefetch', { prefetchBatches: 0 }, /prefetch_batches is 0/],
  ['no queue', { maxQueueBatches: 0 }, /max_queue_batches is 0/],
  ['less in flight than a page', { maxInflightBytes: 4095 }, /max_inflight_bytes is 4095/],
  [
    'a batch larger than what may be in flight',
    { batchSize: 8192, maxInflightBytes: 4096 },
    /batch_size 8192 needs at least 8192 bytes, more than max_inflight_bytes 4096/,
  ],
  [
    'a batch of samples of known size larger than what may be in flight',
    { bytesPerSample: 2 * MIB },
    /batch_size 64 needs at least 134217728 bytes/,
  ],
  [
    'more in flight than the process may have',
    { rssCapBytes: 32 * MIB },
    /max_inflight_bytes 67108864 is larger than max_process_rss_bytes 33554432/,
  ],
];

for (const [what, change, sentence] of conflicts) {
  test(`${what} is a conflict that names the knobs`, () => {
    const refusal = checkCaps({ ...good, ...change });
    assert.equal(refusal?.code, 'caps_conflict');
    assert.match(refusal.message, sentence);
  });
}

test('the default in flight is 64 MiB, or a quarter of a small cap', () => {
  assert.equal(defaultInflightBytes(null), 64 * MIB);
  assert.equal(defaultInflightBytes(1024 * MIB), 64 * MIB);
  assert.equal(defaultInflightBytes(128 * MIB), 32 * MIB);
});
