import assert from 'node:assert/strict';
import { test } from 'node:test';

import { monoMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { OwnReads } from './own-reads.ts';

/** Moved without a turn of the event loop. */
class SetClock extends FakeClock {
  atMs: number = 0;

  override nowMs(): MonoMs {
    return monoMs(this.atMs);
  }
}

interface Left {
  readonly own: OwnReads;
  readonly clock: SetClock;
  readonly takenBack: () => number;
}

/** Batches are left to a consumer that has just got one. */
function left(): Left {
  const clock = new SetClock();
  let count = 0;
  const own = new OwnReads(clock, () => (count += 1));
  own.asks();
  own.gets();
  own.asks();
  own.leave();
  own.gets();
  assert.equal(own.isLeft, true);
  return { own, clock, takenBack: () => count };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('nothing is left to a consumer that has got no batch yet, nor without a clock', () => {
  const own = new OwnReads(new FakeClock(), () => undefined);
  own.asks();
  own.leave();
  assert.equal(own.isLeft, false);
  const clockless = new OwnReads(undefined, () => undefined);
  clockless.asks();
  clockless.gets();
  clockless.leave();
  assert.equal(clockless.isLeft, false);
});

test('batches are read ahead again when the event loop turns while the consumer is busy with one', async () => {
  const { own, takenBack } = left();
  await turn();
  assert.equal(own.isLeft, false);
  assert.equal(takenBack(), 1);
});

test('a consumer that asks again before the event loop turns keeps reading, until it is away', async () => {
  const { own } = left();
  own.asks();
  await turn();
  // It waits: that is not being away.
  assert.equal(own.isLeft, true);
  own.gets();
  own.asks();
  own.gets();
  await turn();
  await turn();
  assert.equal(own.isLeft, false);
});

test('batches are read ahead again for a consumer that takes its time', () => {
  const { own, clock, takenBack } = left();
  for (let batch = 0; batch < 20; batch += 1) {
    clock.atMs += 1;
    own.asks();
    own.leave();
    own.gets();
  }
  assert.equal(own.isLeft, false);
  assert.equal(takenBack(), 1);
});

test('after batches were taken back the consumer has to get one before they are left to it', () => {
  const { own } = left();
  own.asks();
  own.takeBack();
  own.leave();
  assert.equal(own.isLeft, false);
  own.gets();
  own.asks();
  own.leave();
  assert.equal(own.isLeft, true);
});

test('who reads beside others looks for them a while, and then sleeps until the next batch', async () => {
  const { own, clock } = left();
  assert.equal(own.mayLook, false, 'nobody reads beside it yet');
  while (!own.isShared) {
    own.asks();
    clock.atMs += 0.1;
    own.gets();
  }
  own.asks();
  let looks = 0;
  for (; own.mayLook && looks < 10_000; looks += 1) await own.look();
  assert.ok(looks > 0 && looks < 10_000);
  assert.equal(own.isShared, true);
  own.gets();
  assert.equal(own.mayLook, true);
});
