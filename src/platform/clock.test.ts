import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nodeClock } from './clock.ts';

test('the monotonic clock does not go back', () => {
  const clock = nodeClock();
  let last = clock.nowMs();
  for (let reading = 0; reading < 1000; reading += 1) {
    const now = clock.nowMs();
    assert.ok(now >= last);
    last = now;
  }
});

test('timers fire once, and not at all when they were cleared', async () => {
  const clock = nodeClock();
  const fired: string[] = [];
  const cleared = clock.setTimer(1, () => fired.push('cleared'));
  cleared.clear();
  cleared.clear();
  await new Promise<void>((resolve) => {
    clock.setTimer(2, () => {
      fired.push('kept');
      resolve();
    });
  });
  assert.deepEqual(fired, ['kept']);
});

test('a timer beyond what Node can count waits instead of firing at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let fired = 0;
  nodeClock().setTimer(2 ** 31 + 1000, () => (fired += 1));
  t.mock.timers.tick(2 ** 31 - 1);
  assert.equal(fired, 0);
  t.mock.timers.tick(1001);
  assert.equal(fired, 1);
});

test('a sleep ends early with the reason of its signal', async () => {
  const clock = nodeClock();
  const controller = new AbortController();
  const reason = new Error('enough');
  const sleeping = clock.sleep(60_000, controller.signal);
  controller.abort(reason);
  await assert.rejects(sleeping, reason);
  await assert.rejects(clock.sleep(60_000, controller.signal), reason);
});

test('a sleep that is over leaves its signal alone', async () => {
  const controller = new AbortController();
  await nodeClock().sleep(1, controller.signal);
  controller.abort(new Error('later'));
});
