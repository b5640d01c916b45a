import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeClock } from '../testing/fake-clock.ts';
import { IdleThreads } from './idle-threads.ts';

class FakeThread {
  failure: Error | null = null;
  ended: boolean = false;

  end(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }
}

const LONG_MS = 60_000;

test('a thread that rests is taken by the next who needs one, and is not ended then', async () => {
  const clock = new FakeClock();
  const idle = new IdleThreads<FakeThread>();
  const thread = new FakeThread();
  await idle.put(thread, clock);
  assert.equal(idle.count, 1);
  assert.equal(idle.take(), thread);
  assert.equal(idle.take(), null);
  await clock.advance(LONG_MS);
  assert.equal(thread.ended, false);
});

test('a thread that nobody takes is ended', async () => {
  const clock = new FakeClock();
  const idle = new IdleThreads<FakeThread>();
  const thread = new FakeThread();
  await idle.put(thread, clock);
  await clock.advance(LONG_MS);
  assert.equal(thread.ended, true);
  assert.equal(idle.take(), null);
});

test('a thread that is gone is not handed out', async () => {
  const clock = new FakeClock();
  const idle = new IdleThreads<FakeThread>();
  const [first, second] = [new FakeThread(), new FakeThread()];
  await idle.put(first, clock);
  await idle.put(second, clock);
  second.failure = new Error('it ended');
  assert.equal(idle.take(), first);
});

test('of many threads only some stay', async () => {
  const clock = new FakeClock();
  const idle = new IdleThreads<FakeThread>();
  const threads = Array.from({ length: 9 }, () => new FakeThread());
  for (const thread of threads) await idle.put(thread, clock);
  assert.ok(idle.count < threads.length);
  assert.equal(threads.filter(({ ended }) => ended).length, threads.length - idle.count);
});
