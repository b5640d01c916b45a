import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  AGENT_BYTES,
  defaultWorkers,
  planMemory,
  SUPERVISOR_BYTES,
  WORKER_BYTES_MIN,
} from './memory-plan.ts';

const GIB = 1024 ** 3;

test('the shares of all processes together stay within the total', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: GIB / 4, max: 64 * GIB }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 8 }),
      (totalBytes, nodes, workersPerNode) => {
        const options = { totalBytes, nodes, workersPerNode, maxInflightBytes: null };
        const needed = SUPERVISOR_BYTES + nodes * (AGENT_BYTES + workersPerNode * WORKER_BYTES_MIN);
        if (totalBytes < needed) {
          assert.throws(() => planMemory(options), { code: 'caps_conflict' });
          return;
        }
        const plan = planMemory(options);
        const sum =
          SUPERVISOR_BYTES + nodes * (plan.agentBytes + workersPerNode * plan.workerBytes);
        assert(sum <= totalBytes);
        assert(plan.maxInflightBytes < plan.workerBytes);
      },
    ),
  );
});

test('bytes in flight that do not fit a worker are refused and both caps are named', () => {
  const options = { totalBytes: GIB, nodes: 1, workersPerNode: 1, maxInflightBytes: GIB };
  assert.throws(() => planMemory(options), /max-inflight-bytes 1073741824 .*--ram-gb 1\.00/);
});

test('too little memory is refused with the least that would do', () => {
  const options = { totalBytes: GIB / 4, nodes: 2, workersPerNode: 1, maxInflightBytes: null };
  assert.throws(() => planMemory(options), /need at least 0\.75/);
  const enough = { ...options, totalBytes: Math.ceil(0.76 * GIB) };
  assert(planMemory(enough).workerBytes >= WORKER_BYTES_MIN);
});

test('workers follow the cores, and memory where it is the smaller', () => {
  assert.equal(defaultWorkers({ totalBytes: 64 * GIB, nodes: 2 }, 16), 8);
  assert.equal(defaultWorkers({ totalBytes: 64 * GIB, nodes: 4 }, 2), 1);
  assert.equal(defaultWorkers({ totalBytes: 1 * GIB, nodes: 1 }, 16), 4);
  assert.equal(defaultWorkers({ totalBytes: GIB / 8, nodes: 1 }, 16), 1);
});
