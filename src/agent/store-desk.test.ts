import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { StoreReport } from '../core/transfer/store-report.ts';
import { originOf } from '../storage/http/origin.ts';
import { Lane } from '../storage/http/lane.ts';
import type { Slot } from '../storage/http/lane.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { StoreDesk } from './store-desk.ts';

const HOST = originOf(new URL('http://127.0.0.1:1/')).text;

function busy(wanted: number): StoreReport {
  return {
    ...{ host: HOST, wanted, inFlight: 0, servingMilli: 0, pauseMs: 0, share: null },
    ...{ answeredTotal: 0, refusedTotal: 0, firstByteUsTotal: 0, untimedTotal: 0 },
  };
}

test('an agent that publishes nothing takes nothing of what its workers could use, and has its part when it does', async () => {
  const clock = new FakeClock();
  const desk = new StoreDesk(clock);
  const lane = new Lane('other', desk.open().of(HOST));
  let [workers, isGiven] = [0, false];
  const round = async (): Promise<void> => {
    desk.hear([{ host: HOST, requests: 2, pauseMs: 0, ttlMs: 60_000 }], clock.nowMs());
    workers = desk.heard('0.1', [busy(40)])[0]?.requests ?? -1;
    await clock.advance(250);
  };
  for (let rounds = 0; rounds < 4; rounds += 1) await round();
  assert.equal(workers, 2);
  void lane.turn(undefined).then(() => (isGiven = true));
  await clock.advance(0);
  assert.equal(isGiven, false, 'all of it is in use');
  for (let rounds = 0; rounds < 3; rounds += 1) await round();
  assert.deepEqual([isGiven, workers], [true, 1]);
  lane.close();
  desk.close();
});

test('what the agent publishes itself is part of its report, and has a share as a worker has', async () => {
  const clock = new FakeClock();
  const desk = new StoreDesk(clock);
  const lane = new Lane('other', desk.open().of(HOST));
  const slots: Slot[] = [];
  // Who still waits at the end is told that the lane was closed.
  const ask = (): void => {
    lane.turn(undefined).then(
      (slot) => slots.push(slot),
      (error: unknown) => assert.match(String(error), /was closed/),
    );
  };
  for (let write = 0; write < 3; write += 1) ask();
  await clock.advance(0);
  assert.equal(slots.length, 3, 'while nothing is divided nobody waits');
  await clock.advance(250);
  assert.deepEqual([desk.reports()[0]?.wanted, desk.reports()[0]?.inFlight], [3, 3]);
  for (const slot of slots.splice(0)) slot.done();

  // A worker that wants more than there is, and an agent that wants next to nothing.
  for (let round = 0; round < 8; round += 1) {
    desk.heard('0.1', [busy(40)]);
    desk.hear([{ host: HOST, requests: 4, pauseMs: 0, ttlMs: 60_000 }], clock.nowMs());
    await clock.advance(250);
  }
  for (let write = 0; write < 9; write += 1) ask();
  await clock.advance(0);
  assert.equal(slots.length, 1);
  for (let round = 0; round < 3; round += 1) {
    await clock.advance(250);
    desk.heard('0.1', [busy(40)]);
  }
  await clock.advance(250);
  assert.equal(slots.length, 2, 'half of the share is its own by now');
  for (const slot of slots.splice(0)) slot.done();
  await clock.advance(0);
  assert.equal(slots.length, 2);
  lane.close();
  desk.close();
  assert.equal(clock.timerCount, 0);
});
