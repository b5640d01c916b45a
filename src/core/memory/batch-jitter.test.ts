import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import {
  BatchJitter,
  JITTER_BATCHES_MIN,
  JITTER_SLO_MILLI,
  JITTER_WINDOW_BATCHES,
} from './batch-jitter.ts';

function after(...payloads: readonly number[]): BatchJitter {
  const jitter = new BatchJitter();
  for (const bytes of payloads) jitter.add(bytes);
  return jitter;
}

const repeated = (bytes: number, count: number): number[] => Array<number>(count).fill(bytes);

test('batches that are alike have a ratio of one, and none breaks the promise', () => {
  const { p95OverP50Milli, breachesTotal } = after(...repeated(700, JITTER_BATCHES_MIN));
  assert.deepEqual([p95OverP50Milli, breachesTotal], [1000, 0]);
});

test('too few batches say nothing', () => {
  const { p95OverP50Milli, breachesTotal } = after(...repeated(1, JITTER_BATCHES_MIN - 2), 1000);
  assert.deepEqual([p95OverP50Milli, breachesTotal], [0, 0]);
});

test('a tenth of the batches three times as large shows in the ratio, and each is a breach', () => {
  const large = Array.from({ length: 100 }, (_, index) => (index % 10 === 9 ? 300 : 100));
  const { p95OverP50Milli, breachesTotal } = after(...large);
  assert.equal(p95OverP50Milli, 3000);
  assert.equal(breachesTotal, 8, 'the first two came when too few were known');
});

test('at the promised ratio nothing is broken, one byte above it is', () => {
  const at = (100 * JITTER_SLO_MILLI) / 1000;
  assert.equal(after(...repeated(100, JITTER_BATCHES_MIN), at).breachesTotal, 0);
  assert.equal(after(...repeated(100, JITTER_BATCHES_MIN), at + 1).breachesTotal, 1);
});

test('what is long past no longer counts', () => {
  const uneven = [...repeated(1, 60), ...repeated(1000, 60)];
  const jitter = after(...uneven, ...repeated(5, JITTER_WINDOW_BATCHES));
  assert.equal(jitter.p95OverP50Milli, 1000);
});

test('the ratio does not depend on the unit of the payloads', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 300 }), (payloads) => {
      const larger = after(...payloads.map((bytes) => bytes * 64));
      assert.equal(larger.p95OverP50Milli, after(...payloads).p95OverP50Milli);
    }),
  );
});
