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
        const options = {
          totalBytes,
          nodes,
          workersPerNode,
          maxInflightBytes: null,
          maxProcessRssBytes: null,
          derivedFrom: null,
        };
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
  const options = {
    totalBytes: GIB,
    nodes: 1,
    workersPerNode: 1,
    maxInflightBytes: GIB,
    maxProcessRssBytes: null,
    derivedFrom: null,
  };
  assert.throws(() => planMemory(options), /max-inflight-bytes 1073741824 .*--ram-gb 1\.00/);
});

test('too little memory is refused with the least that would do', () => {
  const options = {
    totalBytes: GIB / 4,
    nodes: 2,
    workersPerNode: 1,
    maxInflightBytes: null,
    maxProcessRssBytes: null,
    derivedFrom: null,
  };
  assert.throws(() => planMemory(options), /need at least 0\.75/);
  const derived = { ...options, derivedFrom: 'cgroup_v2' } as const;
  assert.throws(
    () => planMemory(derived),
    /^Mx8Error: The memory of the control group of this process, of which mx8 takes 256 MiB, is too little for 2 nodes with 1 worker each: they need at least 0\.75 GiB; give it more memory or lower --nodes/,
  );
  const enough = { ...options, totalBytes: Math.ceil(0.76 * GIB) };
  assert(planMemory(enough).workerBytes >= WORKER_BYTES_MIN);
});

test('workers follow the cores, and memory where it is the smaller', () => {
  assert.equal(defaultWorkers({ totalBytes: 64 * GIB, nodes: 2 }, 16), 8);
  assert.equal(defaultWorkers({ totalBytes: 64 * GIB, nodes: 4 }, 2), 1);
  assert.equal(defaultWorkers({ totalBytes: 1 * GIB, nodes: 1 }, 16), 4);
  assert.equal(defaultWorkers({ totalBytes: GIB / 8, nodes: 1 }, 16), 1);
});

test('a cap typed for each worker is what the rest follows, down to what a worker needs', () => {
  const MIB = 1024 ** 2;
  const options = {
    totalBytes: 2 * GIB,
    nodes: 1,
    workersPerNode: 2,
    maxInflightBytes: null,
    derivedFrom: null,
  };
  const plan = planMemory({ ...options, maxProcessRssBytes: 120 * MIB });
  assert.deepEqual([plan.workerBytes, plan.maxInflightBytes], [120 * MIB, 30 * MIB]);
  const more = planMemory({ ...options, maxProcessRssBytes: 64 * GIB });
  assert.equal(more.workerBytes, planMemory({ ...options, maxProcessRssBytes: null }).workerBytes);
  assert.throws(
    () => planMemory({ ...options, maxProcessRssBytes: 60 * MIB }),
    /^Mx8Error: --max-process-rss-bytes 62914560 \(60\.0 MiB\) .*: 96\.0 MiB at the least, and 160 MiB leave it room/,
  );
  assert.throws(
    () => planMemory({ ...options, maxInflightBytes: 80 * MIB, maxProcessRssBytes: 120 * MIB }),
    /--max-inflight-bytes 83886080 is more than half of --max-process-rss-bytes 125829120;/,
  );
});
