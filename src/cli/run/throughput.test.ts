import assert from 'node:assert/strict';
import test from 'node:test';
import { monoMs } from '../../core/base/units.ts';
import { Throughput } from './throughput.ts';

test('the rate is that of the last seconds, not of the whole run', () => {
  const rate = new Throughput();
  assert.equal(rate.perSecond, 0);
  for (let second = 0; second <= 20; second += 1) rate.note(monoMs(second * 1000), second * 10);
  for (let second = 21; second <= 40; second += 1) {
    rate.note(monoMs(second * 1000), 200 + (second - 20) * 50);
  }
  assert.equal(rate.perSecond, 50);
});

test('one reading gives no rate', () => {
  const rate = new Throughput();
  rate.note(monoMs(0), 100);
  assert.equal(rate.perSecond, 0);
});
