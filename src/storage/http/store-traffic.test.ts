import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { StoreShare } from '../../core/transfer/store-report.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { HostGate } from './host-gate.ts';
import type { Turn } from './host-gate.ts';
import { Lane } from './lane.ts';
import type { Slot } from './lane.ts';
import { originOf } from './origin.ts';
import { StoreTraffic } from './store-traffic.ts';

// Nobody answers there; nothing is sent.
const ORIGIN = originOf(new URL('http://127.0.0.1:1/'));
const HOST = ORIGIN.text;

function share(requests: number, pauseMs = 0): StoreShare {
  return { host: HOST, requests, pauseMs, ttlMs: 5000 };
}

/** What has been given a turn, in order. */
class Askers {
  readonly turns: Turn[] = [];
  readonly refusals: unknown[] = [];

  ask(gate: HostGate, signal?: AbortSignal): void {
    gate.turn(signal).then(
      (turn) => this.turns.push(turn),
      (error: unknown) => this.refusals.push(error),
    );
  }

  async settled(): Promise<number> {
    for (let round = 0; round < 5; round += 1) await Promise.resolve();
    return this.turns.length;
  }
}

function answer(status: number, headers: Record<string, string> = {}): ResponseHead {
  return { status, headers: new Map(Object.entries(headers)), keepsAlive: true };
}

test('no more requests are under way than the share, whoever of the process sends them', async () => {
  const traffic = new StoreTraffic(new FakeClock());
  const gates = [new HostGate(ORIGIN, traffic.of(HOST)), new HostGate(ORIGIN, traffic.of(HOST))];
  traffic.hear([share(2)], new FakeClock().nowMs());
  const askers = new Askers();
  for (let index = 0; index < 6; index += 1) for (const gate of gates) askers.ask(gate);
  assert.equal(await askers.settled(), 2);
  assert.equal(traffic.reports()[0]?.wanted, 12);
  askers.turns[0]?.done();
  assert.equal(await askers.settled(), 3);
  traffic.hear([share(5)], new FakeClock().nowMs());
  assert.equal(await askers.settled(), 6);
  traffic.hear([], new FakeClock().nowMs());
  assert.equal(await askers.settled(), 12);
});

test('after a pause, and when a share that was nothing is not renewed, those who wait go on', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  const askers = new Askers();
  traffic.hear([share(3, 400)], clock.nowMs());
  askers.ask(gate);
  assert.equal(await askers.settled(), 0);
  await clock.advance(399);
  assert.equal(await askers.settled(), 0);
  await clock.advance(1);
  assert.equal(await askers.settled(), 1);
  askers.turns[0]?.done();
  traffic.hear([share(0)], clock.nowMs());
  askers.ask(gate);
  await clock.advance(4999);
  assert.equal(await askers.settled(), 1);
  await clock.advance(1);
  assert.equal(await askers.settled(), 2);
});

test('a turn that was refused is free again after a quarter of a second, however long the share lasts', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  const askers = new Askers();
  traffic.hear([share(1)], clock.nowMs());
  for (let index = 0; index < 3; index += 1) askers.ask(gate);
  assert.equal(await askers.settled(), 1);
  askers.turns[0]?.answered(5, answer(503));
  askers.turns[0]?.done();
  await clock.advance(249);
  assert.equal(await askers.settled(), 1);
  await clock.advance(1);
  assert.equal(await askers.settled(), 2);
});

test('who gives up waiting is not counted any more', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  traffic.hear([share(0)], clock.nowMs());
  const [askers, over] = [new Askers(), new AbortController()];
  askers.ask(gate, over.signal);
  assert.equal(traffic.reports()[0]?.wanted, 1);
  over.abort(new Error('enough'));
  await askers.settled();
  assert.equal(askers.refusals.length, 1);
  assert.deepEqual(traffic.reports(), [], 'nothing was read there, and nothing is wanted');
});

test('answers 429 and 503 are refusals, with the wait that they ask for; others are answers', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  const answers = [
    answer(206),
    answer(429, { 'retry-after': '7' }),
    answer(503),
    answer(500),
    answer(404),
  ];
  for (const head of answers) {
    const turn = await gate.turn(undefined);
    turn.answered(10, head);
    turn.done();
  }
  const [report] = traffic.reports();
  assert.deepEqual([report?.answeredTotal, report?.refusedTotal, report?.pauseMs], [3, 2, 7000]);
  await clock.advance(31_000);
  assert.deepEqual(traffic.reports(), [], 'a host that rests is not reported');
});

test('a share of a host that was not read from yet holds for its first request', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  traffic.hear([share(1)], clock.nowMs());
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  const askers = new Askers();
  askers.ask(gate);
  askers.ask(gate);
  assert.equal(await askers.settled(), 1);
});

test('a write waits behind at most a few ranges, and ranges do not wait for all writes', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const gate = new HostGate(ORIGIN, traffic.of(HOST));
  const lane = new Lane('other', traffic.of(HOST));
  traffic.hear([share(1)], clock.nowMs());
  let [running, text] = [null as Slot | null, ''];
  const ask = (kind: string, turn: Promise<Slot>): void =>
    void turn.then((slot) => {
      assert.equal(running, null, 'one at a time');
      running = slot;
      text += kind;
    });
  for (let index = 0; index < 6; index += 1) ask('r', gate.turn(undefined));
  for (let index = 0; index < 3; index += 1) ask('w', lane.turn(undefined));
  assert.equal(traffic.reports()[0]?.wanted, 9, 'both kinds are wanted');
  for (let turn = 0; turn < 9; turn += 1) {
    for (let round = 0; round < 5; round += 1) await Promise.resolve();
    const ended: Slot | null = running;
    running = null;
    ended?.done();
  }
  assert.equal(text, 'rwrwrwrrr');
});

test('a client that closes takes those who wait with it out of what is wanted', async () => {
  const clock = new FakeClock();
  const traffic = new StoreTraffic(clock);
  const lanes = [new Lane('other', traffic.of(HOST)), new Lane('range', traffic.of(HOST))];
  traffic.hear([share(0)], clock.nowMs());
  for (const lane of lanes) lane.turn(undefined).catch(() => undefined);
  assert.equal(traffic.reports()[0]?.wanted, 2);
  lanes[0]?.close();
  traffic.reports();
  assert.equal(traffic.reports()[0]?.wanted, 1);
  lanes[1]?.close();
  assert.equal(clock.timerCount, 0);
});

test('who waits for a turn of a client that closes is told so, and is counted once, also when it aborts later', async () => {
  const traffic = new StoreTraffic(new FakeClock());
  const [gate, other] = [0, 1].map(() => new HostGate(ORIGIN, traffic.of(HOST))) as [
    HostGate,
    HostGate,
  ];
  traffic.hear([share(1)], new FakeClock().nowMs());
  const askers = new Askers();
  const stop = new AbortController();
  for (let index = 0; index < 3; index += 1) askers.ask(other);
  for (let index = 0; index < 2; index += 1) askers.ask(gate, stop.signal);
  assert.equal(await askers.settled(), 1);
  const { traffic: seen } = traffic.of(HOST);
  assert.equal(seen.waiting, 4);
  gate.close();
  await askers.settled();
  assert.deepEqual(
    askers.refusals.map((error) => (error as { readonly code?: string }).code),
    ['interrupted', 'interrupted'],
  );
  stop.abort();
  assert.equal(seen.waiting, 2);
});
