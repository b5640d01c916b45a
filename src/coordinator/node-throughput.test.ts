import assert from 'node:assert/strict';
import test from 'node:test';

import { jobId, leaseId, nodeId, type NodeId } from '../core/base/units.ts';
import type { Fact, LeaseFact } from '../core/job/protocol.ts';
import { NodeThroughput } from './node-throughput.ts';

const JOB = jobId('job');
const [A, B] = [nodeId('a'), nodeId('b')];

function leaseOf(node: NodeId, seq: number, start: number): LeaseFact {
  const id = leaseId({ epoch: 1, seq, index: 0 });
  return { jobId: JOB, nodeId: node, leaseId: id, start, end: start + 100 };
}

function delivered(facts: readonly Fact[]): Record<string, number> {
  const throughput = new NodeThroughput();
  throughput.addFacts(facts);
  return Object.fromEntries(throughput.deliveredBy(JOB));
}

test('a sample is counted once, by its first report or its commit, whichever came first', () => {
  const lease = leaseOf(A, 1, 200);
  assert.deepEqual(
    delivered([
      { event: 'lease_granted', ...lease },
      { event: 'progress', ...lease, cursor: 240 },
      { event: 'output_committed', ...lease, from: 200, to: 230, rows: 30 },
      { event: 'progress', ...lease, cursor: 240 },
      { event: 'output_committed', ...lease, from: 230, to: 300, rows: 70 },
      { event: 'lease_completed', ...lease },
    ]),
    { a: 100 },
  );
});

test('what a node left undone is counted for the one that does it', () => {
  const [first, second] = [leaseOf(A, 1, 0), leaseOf(B, 2, 0)];
  assert.deepEqual(
    delivered([
      { event: 'lease_granted', ...first },
      { event: 'progress', ...first, cursor: 60 },
      { event: 'lease_expired', ...first, cursor: 40 },
      { event: 'lease_granted', ...second, start: 40 },
      { event: 'progress', ...second, cursor: 100 },
    ]),
    { a: 60, b: 60 },
  );
});

test('a lease that was granted before this process led counts from its first report on', () => {
  const lease = leaseOf(A, 1, 0);
  const facts: readonly Fact[] = [
    { event: 'progress', ...lease, cursor: 90 },
    { event: 'progress', ...lease, cursor: 95 },
  ];
  assert.deepEqual(delivered(facts), { a: 5 });
});

test('nodes that left are forgotten, and all of it when the lead is lost', () => {
  const throughput = new NodeThroughput();
  for (const [node, seq] of [
    [A, 1],
    [B, 2],
  ] as const) {
    const lease = leaseOf(node, seq, 0);
    throughput.addFacts([
      { event: 'lease_granted', ...lease },
      { event: 'progress', ...lease, cursor: 7 },
    ]);
  }
  throughput.addFacts([
    { event: 'rank_released', jobId: JOB, nodeId: A, rank: 0, reason: 'node_left' },
  ]);
  assert.deepEqual([...throughput.deliveredBy(JOB)], [[B, 7]]);
  throughput.end();
  assert.equal(throughput.deliveredBy(JOB).size, 0);
});
