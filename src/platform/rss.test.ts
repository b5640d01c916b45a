import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Mx8Error } from '../core/base/errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RssGuard } from './rss.ts';

const knobs = { maxInflightBytes: 64, prefetchBatches: 2, maxQueueBatches: 4, want: null };

function guarded(): {
  guard: RssGuard;
  clock: FakeClock;
  breaches: Mx8Error[];
  setRss: (bytes: number) => void;
} {
  const clock = new FakeClock();
  const breaches: Mx8Error[] = [];
  let rss = 100;
  const guard = new RssGuard({
    capBytes: 1000,
    clock,
    knobs: () => knobs,
    onBreach: (error) => breaches.push(error),
    readRssBytes: () => rss,
  });
  return { guard, clock, breaches, setRss: (bytes) => void (rss = bytes) };
}

test('it looks by itself and tells of a breach once, with figures and knobs', async () => {
  const { guard, clock, breaches, setRss } = guarded();
  guard.start();
  setRss(1001);
  await clock.advance(100);
  assert.equal(breaches.length, 1);
  assert.equal(breaches[0]?.code, 'rss_cap_exceeded');
  assert.match(breaches[0].message, /^process rss 1001 exceeds max_process_rss_bytes 1000; turn /);
  assert.equal(guard.highWaterBytes, 1001);
  guard.stop();
});

test('a cap below what the process has already is breached at the start', () => {
  const { guard, breaches, setRss } = guarded();
  setRss(2000);
  guard.start();
  assert.equal(breaches.length, 1);
  guard.stop();
});

test('above 90 % of the cap nothing new is admitted, until RSS has fallen', async () => {
  const { guard, clock, setRss } = guarded();
  guard.start();
  let changes = 0;
  guard.subscribe(() => void (changes += 1));
  assert.equal(guard.mayAdmit(), true);
  setRss(950);
  await clock.advance(100);
  assert.equal(guard.mayAdmit(), false);
  setRss(800);
  await clock.advance(100);
  assert.equal(guard.mayAdmit(), true);
  assert.equal(changes, 2);
  guard.stop();
});

test('a stopped guard looks no more', async () => {
  const { guard, clock, breaches, setRss } = guarded();
  guard.start();
  guard.stop();
  setRss(5000);
  await clock.advance(1000);
  assert.equal(breaches.length, 0);
});
