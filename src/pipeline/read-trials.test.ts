import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReadTrials } from './read-trials.ts';

const BATCHES = 20_000;

/** What part of the batches the consumer read itself, after the first trials. */
function ownPart(trials: ReadTrials, ownMs: number, aheadMs: number): number {
  let own = 0;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    if (trials.isOwn) own += 1;
    trials.observe(trials.isOwn ? ownMs : aheadMs);
  }
  return own / BATCHES;
}

test('the way that gives batches sooner is kept, and the other one tried now and then', () => {
  const own = ownPart(new ReadTrials(), 0.8, 1);
  assert.ok(own > 0.9 && own < 1, `${own} of the batches were read by the consumer`);
  const ahead = ownPart(new ReadTrials(), 1, 0.8);
  assert.ok(ahead > 0 && ahead < 0.1, `${ahead} of the batches were read by the consumer`);
});

test('where both are as good the consumer reads: that takes less of the processors', () => {
  assert.ok(ownPart(new ReadTrials(), 1, 1) > 0.9);
});

test('when the other way becomes better it is found out', () => {
  const trials = new ReadTrials();
  ownPart(trials, 0.8, 1);
  ownPart(trials, 1.2, 1);
  assert.ok(ownPart(trials, 1.2, 1) < 0.1);
});

test('a window in which the consumer was away does not count', () => {
  const trials = new ReadTrials();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    assert.equal(trials.isOwn, true);
    trials.observe(1);
    if (batch % 50 === 0) trials.interrupted();
  }
});
