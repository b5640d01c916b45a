import assert from 'node:assert/strict';
import test from 'node:test';
import { countDeliveries } from './delivery-count.ts';

test('what was delivered once, again and never is told apart', () => {
  const log = '0 4\n4 6\n2 5\n8 9\n';
  assert.deepEqual(countDeliveries(log, 10), { delivered: 7, again: 3, missing: 3 });
});

test('a line that a kill cut short does not count', () => {
  assert.deepEqual(countDeliveries('0 4\n4 1', 12), { delivered: 4, again: 0, missing: 8 });
});
