import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HostDesk } from './host-desk.ts';
import { HostTraffic } from './host-traffic.ts';
import type { StoreReport, StoreShare } from './store-report.ts';

const HOST = 'https://store.example';

function share(requests: number, more: Partial<StoreShare> = {}): StoreShare {
  return { host: HOST, requests, pauseMs: 0, ttlMs: 5000, ...more };
}

test('a report says the most that was wanted since the last one, and how much was served', () => {
  const traffic = new HostTraffic();
  for (let request = 0; request < 3; request += 1) traffic.started(0);
  traffic.waits(4);
  traffic.waits(-4);
  const first = traffic.report(HOST, 0);
  assert.deepEqual([first.wanted, first.inFlight, first.servingMilli], [7, 3, 3000]);
  traffic.answered(20);
  traffic.ended(500);
  traffic.answered(30);
  traffic.ended(500);
  const { wanted, inFlight, servingMilli, answeredTotal, firstByteUsTotal } = traffic.report(
    HOST,
    1000,
  );
  assert.deepEqual([wanted, inFlight, servingMilli], [3, 1, 2000]);
  assert.deepEqual([answeredTotal, firstByteUsTotal], [2, 50_000]);
  assert.equal(traffic.report(HOST, 2000).wanted, 1);
});

test('of what takes as long as it likes the time is not told', () => {
  const [traffic, desk] = [new HostTraffic(), new HostDesk(HOST, 250, 3000)];
  traffic.answered(20);
  traffic.answered(null);
  const said = traffic.report(HOST, 1000);
  assert.deepEqual([said.answeredTotal, said.untimedTotal, said.firstByteUsTotal], [2, 1, 20_000]);
  desk.heard('0.1', said, 1000);
  desk.heard('1.1', said, 1000);
  assert.equal(desk.report(1000).untimedTotal, 2);
});

test('what was refused was not served, and the longest wait that the host asks for is passed on', () => {
  const traffic = new HostTraffic();
  traffic.report(HOST, 0);
  traffic.started(0);
  traffic.started(0);
  traffic.refused(400, 400, 7000);
  traffic.ended(400);
  const report = traffic.report(HOST, 1000);
  assert.deepEqual([report.servingMilli, report.refusedTotal, report.pauseMs], [1000, 1, 6400]);
  traffic.refused(1000, 1000, 3_600_000);
  assert.equal(traffic.report(HOST, 1000).pauseMs, 120_000);
});

test('as many requests are begun as the share allows, none in a pause, and any number without one', () => {
  const traffic = new HostTraffic();
  assert.equal(traffic.mayStart(0), true);
  traffic.share.hear(share(1, { pauseMs: 300 }), 0, 0);
  assert.deepEqual([traffic.mayStart(299), traffic.mayStart(300)], [false, true]);
  assert.equal(traffic.share.nextChangeMs(0), 300);
  traffic.started(300);
  assert.equal(traffic.mayStart(300), false);
  traffic.share.hear(null, 1000, 1000);
  assert.equal(traffic.mayStart(1000), true);
  assert.equal(traffic.share.nextChangeMs(1000), null);
});

test('a turn that was refused is not given to the next in line at once', () => {
  const traffic = new HostTraffic();
  traffic.share.hear(share(2), 0, 0);
  traffic.started(0);
  traffic.started(0);
  traffic.refused(10, 10, 0);
  traffic.ended(10);
  assert.equal(traffic.mayStart(10), false);
  assert.equal(traffic.nextChangeMs(10), 260);
  assert.equal(traffic.mayStart(260), true);
  traffic.share.hear(null, 300, 300);
  traffic.refused(300, 10, 0);
  assert.equal(traffic.mayStart(300), true, 'without a share the limit of its own decides');
});

test('a share that is not renewed is halved, and never becomes nothing', () => {
  const traffic = new HostTraffic();
  traffic.share.hear(share(9), 100, 150);
  const at = (nowMs: number): number | null => traffic.share.requestsAt(nowMs);
  assert.deepEqual([at(5099), at(5100), at(60_000)], [9, 4, 4]);
  traffic.share.hear(share(0), 0, 0);
  assert.deepEqual([at(4999), at(5000)], [0, 1]);
  assert.equal(traffic.report(HOST, 5000).share, 1);
});

test('a host from which nothing was read for half a minute is idle', () => {
  const traffic = new HostTraffic();
  assert.equal(traffic.isIdleAt(0), true);
  traffic.started(1000);
  assert.equal(traffic.isIdleAt(100_000), false);
  traffic.ended(100_000);
  assert.deepEqual([traffic.isIdleAt(129_999), traffic.isIdleAt(130_000)], [false, true]);
});

function report(more: Partial<StoreReport>): StoreReport {
  const none = { wanted: 0, inFlight: 0, servingMilli: 0, answeredTotal: 0, refusedTotal: 0 };
  const nothing = { firstByteUsTotal: 0, untimedTotal: 0, pauseMs: 0, share: null };
  return { host: HOST, ...none, ...nothing, ...more };
}

test('the workers of an agent are one reader, whatever becomes of each', () => {
  const desk = new HostDesk(HOST, 250, 3000);
  desk.heard('0.1', report({ wanted: 4, inFlight: 2, servingMilli: 1500, answeredTotal: 10 }), 0);
  desk.heard(
    '1.1',
    report({ wanted: 3, inFlight: 1, servingMilli: 500, refusedTotal: 2, pauseMs: 900 }),
    0,
  );
  desk.heard('0.1', report({ wanted: 5, inFlight: 2, servingMilli: 1500, answeredTotal: 14 }), 100);
  const both = desk.report(400);
  assert.deepEqual(
    [both.wanted, both.inFlight, both.servingMilli, both.pauseMs],
    [8, 3, 2000, 500],
  );
  assert.deepEqual([both.answeredTotal, both.refusedTotal], [14, 2]);
  // It dies, and another takes its place, which counts from nothing.
  desk.forget('0.1');
  desk.heard('0.2', report({ wanted: 1, answeredTotal: 3 }), 500);
  assert.equal(desk.report(500).answeredTotal, 17);
});

test('the share of an agent is divided among its workers, also where it is less than one each', () => {
  const desk = new HostDesk(HOST, 250, 3000);
  const ask = (worker: string, nowMs: number): number | undefined => {
    desk.heard(worker, report({ wanted: 8 }), nowMs);
    return desk.shareOf(worker, nowMs)?.requests;
  };
  assert.equal(ask('0.1', 0), undefined);
  desk.share.hear(share(7), 0, 0);
  for (const [worker, nowMs] of [
    ['0.1', 0],
    ['1.1', 1],
    ['0.1', 250],
  ] as const)
    ask(worker, nowMs);
  assert.equal((ask('1.1', 251) ?? 0) + (desk.shareOf('0.1', 260)?.requests ?? 0), 7);
  desk.share.hear(share(1), 300, 300);
  const turns = { '0.1': 0, '1.1': 0 };
  for (let nowMs = 500; nowMs < 20_500; nowMs += 250) {
    desk.share.hear(share(1), nowMs, nowMs);
    const shares = [ask('0.1', nowMs) ?? 0, ask('1.1', nowMs) ?? 0] as const;
    turns['0.1'] += shares[0];
    turns['1.1'] += shares[1];
    assert.ok(shares[0] + shares[1] <= 1);
  }
  assert.ok(Math.min(turns['0.1'], turns['1.1']) >= 20, JSON.stringify(turns));
});
