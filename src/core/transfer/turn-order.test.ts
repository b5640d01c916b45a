import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { TURNS_IN_A_ROW_MAX, TurnOrder } from './turn-order.ts';
import type { RequestKind } from './turn-order.ts';

/** Turns at a host that has `slots`, while both kinds always wait; `ends` draws which request ends next. */
function turns(slots: number, count: number, ends: (running: RequestKind[]) => number): string {
  const order = new TurnOrder();
  const running: RequestKind[] = [];
  let text = '';
  while (text.length < count) {
    if (running.length === slots) {
      const [kind] = running.splice(ends(running), 1);
      if (kind !== undefined) order.ended(kind);
    }
    const kind = order.next;
    order.started(kind, true);
    running.push(kind);
    text += kind === 'range' ? 'r' : 'o';
  }
  return text;
}

test('with one turn at a time both kinds have every second one', () => {
  assert.equal(
    turns(1, 8, () => 0),
    'orororor',
  );
});

test('writes that take much longer than ranges have half of what is under way, not all of it', () => {
  const order = new TurnOrder();
  const running: { kind: RequestKind; left: number }[] = [];
  let ranges = 0;
  for (let time = 0; time < 1000; time += 1) {
    for (const request of running) request.left -= 1;
    for (const [at, { kind, left }] of [...running.entries()].toReversed()) {
      if (left > 0) continue;
      running.splice(at, 1);
      order.ended(kind);
      ranges += Number(kind === 'range');
    }
    while (running.length < 8) {
      const kind = order.next;
      order.started(kind, true);
      running.push({ kind, left: kind === 'range' ? 1 : 20 });
    }
  }
  // Four at a time would be 4,000; one to one they would be a ninth of that.
  assert.ok(ranges >= 1500, String(ranges));
});

test('nobody waits for more than a few of the other kind, whichever requests end', () => {
  const drawn = fc.array(fc.nat(7), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), drawn, (slots, draws) => {
      let at = 0;
      const text = turns(slots, 200, (running) => (draws[at++ % 200] ?? 0) % running.length);
      const longest = Math.max(...[...text.matchAll(/r+|o+/g)].map(([run]) => run.length));
      assert.ok(longest <= TURNS_IN_A_ROW_MAX, text);
    }),
  );
});

test('a kind that comes late has the next turn, however many of the other kind went before', () => {
  const order = new TurnOrder();
  for (let range = 0; range < 40; range += 1) order.started('range', false);
  assert.equal(order.next, 'other');
  for (let write = 0; write < 10; write += 1) order.started('other', false);
  for (let range = 0; range < 40; range += 1) order.ended('range');
  assert.equal(order.next, 'range');
});
