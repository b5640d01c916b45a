import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReadTrials } from './read-trials.ts';

const BATCHES = 20_000;

/** What part of the batches the consumer read alone. */
function alonePart(
  trials: ReadTrials,
  aloneMs: number,
  sharedMs: number,
  batches: number = BATCHES,
): number {
  let alone = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    if (trials.isAlone) alone += 1;
    trials.observe(trials.isAlone ? aloneMs : sharedMs);
  }
  return alone / batches;
}

test('the way that gives batches sooner is kept, and the other one tried now and then', () => {
  const alone = alonePart(new ReadTrials(), 0.8, 1);
  assert.ok(alone > 0.98 && alone < 1, `${alone} of the batches were read alone`);
  const shared = alonePart(new ReadTrials(), 1, 0.8);
  assert.ok(shared > 0 && shared < 0.04, `${shared} of the batches were read alone`);
});

test('where both are as good the consumer reads alone: that takes less of the processors', () => {
  assert.ok(alonePart(new ReadTrials(), 1, 1) > 0.98);
});

test('the longer a way is the better one, the less the other is tried', () => {
  const trials = new ReadTrials();
  const first = alonePart(trials, 0.8, 1);
  const later = alonePart(trials, 0.8, 1, 5 * BATCHES);
  assert.ok(1 - later < (1 - first) / 3, `${1 - first} of the batches before, ${1 - later} later`);
});

test('when the other way becomes better it is found out', () => {
  const trials = new ReadTrials();
  alonePart(trials, 0.8, 1);
  alonePart(trials, 1.2, 1);
  assert.ok(alonePart(trials, 1.2, 1) < 0.05);
});

test('when the kept way becomes slower that is found out soon, however long it was kept', () => {
  const trials = new ReadTrials();
  alonePart(trials, 0.5, 0.6, 10 * BATCHES);
  assert.ok(alonePart(trials, 0.9, 0.6, 3000) < 0.5);
});

test('one window that went well is not yet a better way', () => {
  const trials = new ReadTrials();
  let trialsSeen = 0;
  let wasAlone = true;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    if (!trials.isAlone && wasAlone) trialsSeen += 1;
    wasAlone = trials.isAlone;
    // The first trial meets a moment in which the machine had nothing else to do.
    trials.observe(trials.isAlone ? 1 : trialsSeen === 1 ? 0.9 : 1.4);
  }
  assert.ok(trialsSeen > 2, `${trialsSeen} trials`);
  assert.ok(trials.isAlone);
});

test('a window in which the consumer was away does not count', () => {
  const trials = new ReadTrials();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    assert.equal(trials.isAlone, true);
    trials.observe(1);
    if (batch % 25 === 0) trials.interrupted();
  }
});
