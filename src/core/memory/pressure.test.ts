import assert from 'node:assert/strict';
import test from 'node:test';
import { monoMs } from '../base/units.ts';
import { eased, NO_PRESSURE, type Pressure, raisedInMs, stepPressure } from './pressure.ts';

/** The levels after each of the readings [ms, part]. */
function levels(...readings: readonly (readonly [number, number])[]): number[] {
  let pressure: Pressure = NO_PRESSURE;
  return readings.map(([ms, part]) => {
    pressure = stepPressure(pressure, part, monoMs(ms));
    return pressure.level;
  });
}

test('near the cap everything is halved step by step, at most three times', () => {
  const near = [0, 500, 1_000, 1_500, 2_000, 3_000, 9_000].map((ms) => [ms, 0.85] as const);
  assert.deepEqual(levels(...near), [1, 1, 2, 2, 3, 3, 3]);
  const caps = { want: 5, prefetchBatches: 2, maxQueueBatches: 16, maxInflightBytes: 100 };
  assert.deepEqual(eased(caps, 0), caps);
  assert.deepEqual(eased(caps, 1), { ...caps, want: 2, prefetchBatches: 1, maxQueueBatches: 8 });
  assert.deepEqual(eased(caps, 3), { ...caps, want: 1, prefetchBatches: 1, maxQueueBatches: 2 });
});

test('steps are taken back one at a time, each after ten seconds with room', () => {
  const raised = levels([0, 0.9], [1_000, 0.9], [2_000, 0.7], [11_000, 0.6], [12_000, 0.5]);
  assert.deepEqual(raised, [1, 2, 2, 2, 1]);
  assert.deepEqual(
    levels([0, 0.9], [5_000, 0.6], [9_000, 0.7], [15_000, 0.6], [19_000, 0.6]),
    [1, 1, 1, 1, 0],
  );
});

test('below the threshold nothing changes, and it is known when the next step is taken back', () => {
  assert.deepEqual(levels([0, 0.5], [5_000, 0.79], [9_000, 0.1]), [0, 0, 0]);
  assert.equal(raisedInMs(NO_PRESSURE, monoMs(5)), 0);
  const once = stepPressure(NO_PRESSURE, 0.8, monoMs(1_000));
  assert.equal(raisedInMs(once, monoMs(4_000)), 7_000);
});
