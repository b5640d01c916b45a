import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReadTrials } from './read-trials.ts';

const BATCHES = 20_000;

/** What part of the batches the consumer read itself. */
function ownPart(
  trials: ReadTrials,
  ownMs: number,
  aheadMs: number,
  batches: number = BATCHES,
): number {
  let own = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    if (trials.isOwn) own += 1;
    trials.observe(trials.isOwn ? ownMs : aheadMs);
  }
  return own / batches;
}

test('the way that gives batches sooner is kept, and the other one tried now and then', () => {
  const own = ownPart(new ReadTrials(), 0.8, 1);
  assert.ok(own > 0.98 && own < 1, `${own} of the batches were read by the consumer`);
  const ahead = ownPart(new ReadTrials(), 1, 0.8);
  assert.ok(ahead > 0 && ahead < 0.04, `${ahead} of the batches were read by the consumer`);
});

test('where both are as good the consumer reads: that takes less of the processors', () => {
  assert.ok(ownPart(new ReadTrials(), 1, 1) > 0.98);
});

test('the longer a way is the better one, the less the other is tried', () => {
  const trials = new ReadTrials();
  const first = ownPart(trials, 0.8, 1);
  const later = ownPart(trials, 0.8, 1, 5 * BATCHES);
  assert.ok(1 - later < (1 - first) / 3, `${1 - first} of the batches before, ${1 - later} later`);
});

test('when the other way becomes better it is found out', () => {
  const trials = new ReadTrials();
  ownPart(trials, 0.8, 1);
  ownPart(trials, 1.2, 1);
  assert.ok(ownPart(trials, 1.2, 1) < 0.05);
});

test('when the kept way becomes slower that is found out soon, however long it was kept', () => {
  const trials = new ReadTrials();
  ownPart(trials, 0.5, 0.6, 10 * BATCHES);
  assert.ok(ownPart(trials, 0.9, 0.6, 3000) < 0.5);
});

test('one window that went well is not yet a better way', () => {
  const trials = new ReadTrials();
  let trialsSeen = 0;
  let wasOwn = true;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    if (!trials.isOwn && wasOwn) trialsSeen += 1;
    wasOwn = trials.isOwn;
    // The first trial meets a moment in which the machine had nothing else to do.
    trials.observe(trials.isOwn ? 1 : trialsSeen === 1 ? 0.9 : 1.4);
  }
  assert.ok(trialsSeen > 2, `${trialsSeen} trials`);
  assert.ok(trials.isOwn);
});

test('a window in which the consumer was away does not count', () => {
  const trials = new ReadTrials();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    assert.equal(trials.isOwn, true);
    trials.observe(1);
    if (batch % 25 === 0) trials.interrupted();
  }
});
