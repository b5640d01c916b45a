import assert from 'node:assert/strict';
import test from 'node:test';

import { monoMs } from '../core/base/units.ts';
import { nextNodeRates, NO_NODE_RATES, type NodeRateHistory } from './node-rates.ts';

function after(
  ...looks: readonly (readonly [atMs: number, a: number, b: number])[]
): NodeRateHistory {
  return looks.reduce(
    (history, [atMs, a, b]) =>
      nextNodeRates(
        history,
        [
          { nodeId: 'a', deliveredSamples: a },
          { nodeId: 'b', deliveredSamples: b },
        ],
        monoMs(atMs),
      ),
    NO_NODE_RATES,
  );
}

test('a rate is known after two looks, and is what was delivered between them', () => {
  assert.deepEqual([...after([1000, 50, 0]).perSecond], []);
  const { perSecond } = after([1000, 50, 0], [3000, 250, 0]);
  assert.deepEqual(Object.fromEntries(perSecond), { a: 100, b: 0 });
});

test('a rate follows what is delivered now within some seconds', () => {
  const looks = Array.from({ length: 12 }, (_, index) => [3000 + index * 1000, 250, 0] as const);
  const rate = after([1000, 50, 0], ...looks).perSecond.get('a') ?? 100;
  assert(rate > 0 && rate < 15, `${rate} samples a second are left of 100`);
});

test('counts that begin anew, as after a fail-over, make no negative rate', () => {
  const { perSecond } = after([1000, 50, 0], [2000, 250, 0], [3000, 10, 0]);
  assert.equal(perSecond.has('a'), false);
});

test('a node that left has no rate, and two looks at one moment change nothing', () => {
  const before = after([1000, 50, 0], [2000, 250, 5]);
  assert.equal(nextNodeRates(before, [], monoMs(2000)), before);
  assert.deepEqual([...nextNodeRates(before, [], monoMs(2500)).perSecond], []);
});
