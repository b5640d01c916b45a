import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import type { SharedStores } from '../ports/coordinator-client.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { StoreGuest } from './store-guest.ts';

const HOST = 'https://store.example';
const REPORT: StoreReport = {
  ...{ host: HOST, wanted: 9, inFlight: 4, servingMilli: 3500, pauseMs: 0, share: null },
  ...{ answeredTotal: 100, refusedTotal: 3, firstByteUsTotal: 5_000_000, untimedTotal: 40 },
};
const SHARE: StoreShare = { host: HOST, requests: 4, pauseMs: 0, ttlMs: 5000 };
const BEAT_MS = 1000;

type Answer = SharedStores | Mx8Error;

/** A guest, what it says, and what it hears; a coordinator that answers by `answer`. */
class Visit {
  readonly clock: FakeClock = new FakeClock(0);
  readonly events: RecordingEvents = new RecordingEvents();
  readonly said: [atMs: number, hosts: number][] = [];
  readonly heard: [shares: number, askedMs: number][] = [];
  busy: boolean = false;
  answer: () => Answer = () => ({ storeShares: [SHARE], beatMs: BEAT_MS });
  readonly guest: StoreGuest;

  constructor() {
    this.guest = new StoreGuest({
      clock: this.clock,
      events: this.events,
      sharer: {
        reports: () => (this.busy ? [REPORT] : []),
        hear: (shares, askedMs) => void this.heard.push([shares.length, askedMs]),
      },
      share: (stores) => {
        this.said.push([this.clock.nowMs(), stores.length]);
        const answer = this.answer();
        return answer instanceof Mx8Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    });
  }
}

test('a guest says what it does as soon as there is something, as often as it is asked to, and once more when it rests', async () => {
  const visit = new Visit();
  await visit.clock.advance(3000);
  assert.deepEqual(visit.said, []);
  visit.busy = true;
  await visit.clock.advance(2500);
  assert.deepEqual(visit.said, [
    [3100, 1],
    [4100, 1],
    [5100, 1],
  ]);
  assert.deepEqual(visit.heard.at(-1), [1, 5100]);
  visit.busy = false;
  await visit.clock.advance(3000);
  assert.deepEqual(visit.said.slice(3), [[6100, 0]]);
  await visit.guest.close();
  assert.equal(visit.said.length, 4);
});

test('a guest that ends while it does something says that it does nothing, and one that is only stopped does not', async () => {
  const [closed, stopped] = [new Visit(), new Visit()];
  for (const visit of [closed, stopped]) {
    visit.busy = true;
    await visit.clock.advance(300);
  }
  await closed.guest.close();
  stopped.guest.stop();
  for (const visit of [closed, stopped]) await visit.clock.advance(5000);
  assert.deepEqual(
    closed.said.map(([, hosts]) => hosts),
    [1, 0],
  );
  assert.deepEqual(
    stopped.said.map(([, hosts]) => hosts),
    [1],
  );
});

test('a guest that nobody answers goes on with what it heard, says so once, and is heard again later', async () => {
  const visit = new Visit();
  visit.busy = true;
  await visit.clock.advance(500);
  assert.equal(visit.heard.length, 1);
  const { answer } = visit;
  visit.answer = () => new Mx8Error('coordinator_unavailable', 'nobody there');
  await visit.clock.advance(5000);
  assert.equal(
    visit.heard.length,
    1,
    'it keeps to what it holds, in case that another one takes over',
  );
  assert.ok(visit.said.length >= 4);
  await visit.clock.advance(60_000);
  assert.equal(visit.heard.at(-1)?.[0], 0, 'nobody takes over: it goes on alone');
  visit.heard.length = 0;
  assert.deepEqual(visit.events.names(), ['store_budget_unheard']);
  visit.answer = answer;
  await visit.clock.advance(2000);
  assert.equal(visit.heard.at(-1)?.[0], 1);
  assert.deepEqual(visit.events.names(), ['store_budget_unheard']);
});

test('a guest keeps to its share while nobody leads', async () => {
  const visit = new Visit();
  visit.busy = true;
  await visit.clock.advance(500);
  visit.answer = () => new Mx8Error('not_leader', 'no leader is known yet');
  await visit.clock.advance(5000);
  assert.deepEqual(visit.heard, [[1, 100]]);
});
