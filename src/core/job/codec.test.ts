import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../base/errors.ts';
import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { decodeRecords, decodeSnapshot, encodeRecords, encodeSnapshot } from './codec.ts';
import { applyEntry, assertInvariants, emptyState, step } from './coordinator.ts';
import type { CoordinatorState } from './coordinator.ts';
import { UNTUNED } from './operations.ts';
import type { Command } from './protocol.ts';

const NODE = { jobId: jobId('j'), nodeId: nodeId('n'), instanceId: 'i' };
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1000,
  maxRamBytes: 4000,
};

const COMMANDS: readonly Command[] = [
  {
    type: 'create_job',
    spec: {
      jobId: jobId('j'),
      manifestHash: manifestHash('ab'.repeat(32)),
      sampleCount: 20,
      blockSize: 5,
      worldSize: 2,
      minWorldSize: 1,
      shuffle: false,
      seed: 2n ** 63n,
      epoch: 0,
      leaseTtlMs: 1000,
      heartbeatIntervalMs: 100,
      commitsOutputs: false,
      adoptsFirstJobId: false,
    },
  },
  { type: 'register', ...NODE, caps: CAPS, resumeFrom: new Uint8Array(0) },
  { type: 'request_lease', ...NODE, want: 2, held: null },
];

function stateAfter(commands: readonly Command[]): {
  state: CoordinatorState;
  entries: Uint8Array[];
} {
  const state = emptyState();
  const entries = commands.map((command, index) => {
    const position = { epoch: 1, seq: index + 1, nextIndex: 0 };
    const at = { nowMs: monoMs(0), nowUnixMs: 0, ...position, relief: 'double' as const };
    return encodeRecords(step(state, command, at).records);
  });
  return { state, entries };
}

/** The snapshot as version 1 wrote it: without what an operator can say to a job. */
function asVersion1(bytes: Uint8Array): Uint8Array {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    v: number;
    jobs: Record<string, unknown>[];
  };
  header.v = 1;
  for (const job of header.jobs) {
    delete job['paused'];
    delete job['tuning'];
    for (const node of job['nodes'] as Record<string, unknown>[]) {
      delete node['draining'];
      delete node['tuning'];
    }
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = new Uint8Array(4 + text.length + bytes.length - 4 - length);
  new DataView(out.buffer).setUint32(0, text.length);
  out.set(text, 4);
  out.set(bytes.subarray(4 + length), 4 + text.length);
  return out;
}

test('a snapshot and entries of version 1 are read, with nothing paused, draining or tuned', () => {
  const { state, entries } = stateAfter(COMMANDS);
  const read = decodeSnapshot(asVersion1(encodeSnapshot(state)));
  assertInvariants(read);
  assert.deepEqual(
    encodeSnapshot(read, { durableOnly: true }),
    encodeSnapshot(state, { durableOnly: true }),
  );
  const job = read.jobs.get(jobId('j'));
  assert.equal(job?.paused, false);
  assert.deepEqual(job.tuning, UNTUNED);
  const replayed = emptyState();
  entries.forEach((bytes, index) => {
    const text = new TextDecoder().decode(bytes).replace('"v":2', '"v":1');
    const records = decodeRecords(new TextEncoder().encode(text));
    applyEntry(replayed, { epoch: 1, seq: index + 1, records }, monoMs(0));
  });
  assert.deepEqual(
    encodeSnapshot(replayed, { durableOnly: true }),
    encodeSnapshot(state, { durableOnly: true }),
  );
});

test('what an operator said is in a snapshot', () => {
  const operations: readonly Command[] = [
    { type: 'operate', jobId: jobId('j'), operation: { type: 'pause' }, dryRun: false },
    {
      type: 'operate',
      jobId: jobId('j'),
      operation: { type: 'tune', nodeId: null, tuning: { ...UNTUNED, maxInflightBytes: 1500 } },
      dryRun: false,
    },
    {
      type: 'operate',
      jobId: jobId('j'),
      operation: { type: 'drain', nodeId: nodeId('n') },
      dryRun: false,
    },
  ];
  const { state } = stateAfter([...COMMANDS, ...operations]);
  const job = decodeSnapshot(encodeSnapshot(state)).jobs.get(jobId('j'));
  assert.equal(job?.paused, true);
  assert.equal(job.tuning.maxInflightBytes, 1500);
  const node = job.nodes.get(nodeId('n'));
  assert.deepEqual([node?.draining, node?.tuning.maxInflightBytes], [true, 1500]);
});

test('a snapshot that is cut anywhere is refused with a sentence, not read in part', () => {
  const bytes = encodeSnapshot(stateAfter(COMMANDS).state);
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(
      () => decodeSnapshot(bytes.subarray(0, length)),
      (error) => error instanceof Mx8Error && error.code === 'coordinator_state_invalid',
      `${length} of ${bytes.length} bytes`,
    );
  }
});
