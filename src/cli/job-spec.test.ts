import assert from 'node:assert/strict';
import { test } from 'node:test';

import { manifestHash } from '../core/base/units.ts';
import { defaultBlockSize, jobSpecOf } from './job-spec.ts';
import type { JobSpecOptions } from './job-spec.ts';

const options: JobSpecOptions = {
  jobId: 'j',
  manifestHash: manifestHash('a'.repeat(64)),
  sampleCount: 1000,
  blockSize: null,
  worldSize: 2,
  minWorldSize: null,
  shuffle: false,
  seed: 0n,
  epoch: 0,
  leaseTtlMs: 10_000,
  heartbeatIntervalMs: 1000,
  commitsOutputs: false,
};

test('a job waits for all of its nodes unless something else is said', () => {
  assert.equal(jobSpecOf(options).minWorldSize, 2);
  assert.equal(jobSpecOf({ ...options, minWorldSize: 1 }).minWorldSize, 1);
});

test('a job without an id takes that of the first node', () => {
  assert.equal(jobSpecOf(options).adoptsFirstJobId, false);
  assert.equal(jobSpecOf({ ...options, jobId: null }).adoptsFirstJobId, true);
});

test('caps that exclude each other are refused with both', () => {
  assert.throws(() => jobSpecOf({ ...options, minWorldSize: 3 }), {
    code: 'caps_conflict',
    message: /--min-world-size 3 is more than --world-size 2/,
  });
  assert.throws(() => jobSpecOf({ ...options, leaseTtlMs: 500, heartbeatIntervalMs: 500 }), {
    code: 'caps_conflict',
    message: /--heartbeat-interval-ms 500 must be shorter than --lease-ttl-ms 500/,
  });
});

test('blocks are small enough to share and never empty', () => {
  assert.equal(defaultBlockSize(1, 8), 1);
  assert.equal(defaultBlockSize(1280, 2), 10);
  assert.equal(defaultBlockSize(1_000_000_000, 2), 65_536);
  assert.equal(jobSpecOf({ ...options, blockSize: 7 }).blockSize, 7);
});
