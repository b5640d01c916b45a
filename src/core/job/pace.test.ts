import assert from 'node:assert/strict';
import test from 'node:test';
import { monoMs } from '../base/units.ts';
import { Pace } from './pace.ts';

test('a pace is samples over the time in which the node held work', () => {
  const pace = new Pace();
  assert.equal(pace.samplesPerMs(monoMs(0)), null);
  pace.note(true, monoMs(1_000));
  pace.moved(100, monoMs(1_500));
  pace.note(false, monoMs(2_000));
  pace.note(true, monoMs(9_000));
  pace.moved(100, monoMs(10_000));
  assert.equal(pace.workedMs(monoMs(10_000)), 2_000);
  assert.equal(pace.samplesPerMs(monoMs(10_000)), 0.1);
  assert.equal(pace.largestMove, 100);
  assert.equal(pace.movedSamples, 200);
});

test('a pace forgets what was long ago, and falls while nothing moves', () => {
  const pace = new Pace();
  pace.note(true, monoMs(0));
  for (let at = 1; at <= 8; at += 1) pace.moved(1_000, monoMs(at * 100));
  assert.equal(pace.samplesPerMs(monoMs(800)), 10);
  for (let at = 1; at <= 8; at += 1) pace.moved(10, monoMs(800 + at * 100));
  assert.equal(pace.samplesPerMs(monoMs(1_600)), 0.1);
  assert.equal(pace.samplesPerMs(monoMs(8_800)), 0.01);
  assert.equal(pace.largestMove, 10);
});
