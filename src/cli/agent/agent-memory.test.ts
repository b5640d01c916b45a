import assert from 'node:assert/strict';
import { test } from 'node:test';

import { planAgentMemory } from './agent-memory.ts';

const MIB = 1024 ** 2;
const readings = { cgroupV2Bytes: null, cgroupV1Bytes: null, machineBytes: 16_384 * MIB };
const nothingSaid = { maxProcessRssBytes: null, maxInflightBytes: null, workers: 1 };

test('what is said is taken', () => {
  const said = { maxProcessRssBytes: 500 * MIB, maxInflightBytes: 10 * MIB, workers: 2 };
  const plan = planAgentMemory(said, readings);
  assert.deepEqual([plan.cap.capBytes, plan.cap.derived], [500 * MIB, false]);
  assert.equal(plan.inflightBytes, 10 * MIB);
});

test('workers share what the machine allows', () => {
  const one = planAgentMemory(nothingSaid, readings);
  const four = planAgentMemory({ ...nothingSaid, workers: 4 }, readings);
  assert.equal(one.cap.derived, true);
  assert.equal(four.cap.capBytes, Math.floor(one.cap.capBytes / 4));
});

test('samples in flight get a quarter of a small cap', () => {
  const small = { ...nothingSaid, maxProcessRssBytes: 200 * MIB };
  assert.equal(planAgentMemory(small, readings).inflightBytes, 50 * MIB);
  assert.equal(planAgentMemory(nothingSaid, readings).inflightBytes, 64 * MIB);
});

test('samples in flight that fill the whole cap are refused', () => {
  const said = { maxProcessRssBytes: 128 * MIB, maxInflightBytes: 128 * MIB, workers: 1 };
  assert.throws(() => planAgentMemory(said, readings), { code: 'caps_conflict' });
});

test('a cap below what a worker has when it is idle is refused, typed or derived', () => {
  const typed = { ...nothingSaid, maxProcessRssBytes: 60 * MIB };
  assert.throws(() => planAgentMemory(typed, readings), /--max-process-rss-bytes 62914560 /);
  const group = { ...readings, cgroupV2Bytes: 256 * MIB };
  assert.equal(planAgentMemory({ ...nothingSaid, workers: 2 }, group).cap.source, 'cgroup_v2');
  assert.throws(
    () => planAgentMemory({ ...nothingSaid, workers: 4 }, group),
    /the control group leaves 57\.6 MiB for each of 4 workers, .* lower --workers/,
  );
});
