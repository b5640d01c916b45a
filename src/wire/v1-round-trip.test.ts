import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type JobId,
  jobId,
  leaseId,
  type LeaseId,
  type ManifestHash,
  manifestHash,
  type NodeId,
  nodeId,
} from '../core/base/units.ts';
import type {
  JobSnapshot,
  JobSpec,
  LeasePart,
  LiveLease,
  NodeCaps,
  NodeStats,
  Reply,
} from '../core/job/protocol.ts';
import type { Operation } from '../core/job/operations.ts';
import type { CoordinatorView, Push } from '../ports/coordinator-client.ts';
import { type WireMessage, wireType } from './schema.ts';
import { coordinatorFrom, coordinatorMessage } from './v1-coordinator.ts';
import { leaseChoiceFrom, leaseChoiceMessage } from './v1-lease-choice.ts';
import { operatedFrom, operatedMessage, operateFrom, operateMessage } from './v1-operate.ts';
import {
  commandFrom,
  commandMessage,
  helloFrom,
  pushFrom,
  pushMessage,
  replyFrom,
  replyMessage,
  type SessionCommand,
} from './v1-session.ts';
import { jobSnapshotFrom, jobSnapshotMessage, pieceFrom, pieceMessage } from './v1-snapshot.ts';

/** What `message` is after it has travelled. */
function sent(type: string, message: WireMessage): WireMessage {
  const codec = wireType(`mx8.v1.${type}`);
  return codec.decode(codec.encode(message));
}

function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const u32 = fc.nat(0xffffffff);
const u53 = fc.maxSafeNat();
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const idText = fc.stringMatching(/^[\x21-\x7e]{1,128}$/);
const job: fc.Arbitrary<JobId> = idText.map(jobId);
const node: fc.Arbitrary<NodeId> = idText.map(nodeId);
const lease: fc.Arbitrary<LeaseId> = fc
  .record({ epoch: fc.nat(), seq: fc.nat(), index: fc.nat() })
  .map(leaseId);
const hash: fc.Arbitrary<ManifestHash> = fc.stringMatching(/^[0-9a-f]{64}$/).map(manifestHash);
const maybeHash = fc.option(hash);
const ids = fc.uniqueArray(u53, { maxLength: 5 });
const phase = fc.constantFrom('running', 'draining', 'failed', 'finalizing', 'completed');

const caps: fc.Arbitrary<NodeCaps> = record({
  maxFetchConcurrency: u32,
  maxDecodeConcurrency: u32,
  maxInflightBytes: u53,
  maxRamBytes: u53,
});
const stats: fc.Arbitrary<NodeStats> = record({
  inflightBytes: u53,
  ramHighWaterBytes: u53,
  fetchQueueDepth: u32,
  decodeQueueDepth: u32,
  packQueueDepth: u32,
  autotuneEnabled: fc.boolean(),
  effectivePrefetchBatches: u32,
  effectiveMaxQueueBatches: u32,
  effectiveWant: u32,
  autotunePressureMilli: u32,
  autotuneCooldownTicks: u32,
  batchPayloadP95OverP50Milli: u32,
  batchJitterSloBreachesTotal: u53,
});
const spec: fc.Arbitrary<JobSpec> = record({
  jobId: job,
  manifestHash: hash,
  sampleCount: u53,
  blockSize: u53,
  worldSize: u32,
  minWorldSize: u32,
  shuffle: fc.boolean(),
  seed: fc.bigInt(0n, 2n ** 64n - 1n),
  epoch: u32,
  leaseTtlMs: u32,
  heartbeatIntervalMs: u32,
  commitsOutputs: fc.boolean(),
  adoptsFirstJobId: fc.boolean(),
});
const elastic = record({
  transitionPending: fc.boolean(),
  transitionsTotal: u53,
  lastTransitionReason: text,
  currentWorldSize: u32,
  targetWorldSize: u32,
  lastTransitionUnixMs: u53,
});
const heldLease = record({
  leaseId: lease,
  nodeId: node,
  range: record({ start: u53, end: u53 }),
  cursor: u53,
});
const from = { jobId: job, nodeId: node, instanceId: idText };
const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

const commands: fc.Arbitrary<SessionCommand> = fc.oneof(
  record({ type: type('heartbeat'), ...from, stats, sentAtUnixMs: u53 }),
  record({ type: type('request_lease'), ...from, want: u32, held: fc.array(lease) }),
  record({
    type: type('progress'),
    ...from,
    leaseId: lease,
    cursor: u53,
    deliveredSamples: u53,
    deliveredBytes: u53,
  }),
  record({ type: type('renew'), ...from, leaseIds: fc.array(lease) }),
  record({
    type: type('commit'),
    ...from,
    leaseId: lease,
    start: u53,
    end: u53,
    rows: u53,
    bytes: u53,
    inputBytes: u53,
    quarantined: ids,
  }),
  record({ type: type('release'), ...from, leaseId: lease }),
  record({ type: type('leave'), ...from }),
  record({ type: type('fail_job'), ...from, code: someText, message: text }).chain((command) =>
    fc.constantFrom(command, { ...command, jobToken: '12.345.6' }),
  ),
  record({ type: type('request_finalize'), ...from }),
  record({
    type: type('complete_job'),
    ...from,
    finalizeToken: someText,
    outputManifestHash: maybeHash,
  }),
);

const replies: fc.Arbitrary<Reply> = fc.oneof(
  record({
    type: type('refused'),
    code: fc.constantFrom('lease_unknown', 'job_not_ready', 'field_invalid'),
    message: text,
  }),
  record({ type: type('ok') }),
  record({
    type: type('registered'),
    spec,
    assignedRank: u32,
    registeredNodes: u32,
    jobReady: fc.boolean(),
    phase,
    elastic,
  }).chain((reply) =>
    fc.constantFrom(reply, { ...reply, jobToken: '12.345.6' }, { ...reply, waitMaxMs: 1600 }),
  ),
  record({
    type: type('leases'),
    leases: fc.array(heldLease, { maxLength: 4 }),
    waitMs: u32,
    jobDrained: fc.boolean(),
    phase,
    elastic,
  }).chain((reply) => fc.constantFrom(reply, { ...reply, waitMaxMs: 400 })),
  record({
    type: type('accepted'),
    cursor: u53,
    repeated: fc.boolean(),
    end: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: null }),
  }),
  record({
    type: type('renewed'),
    ends: fc.array(fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: null })),
  }),
  record({
    type: type('finalize'),
    finalizeToken: fc.option(someText),
    waitMs: u32,
    phase,
    outputManifestHash: maybeHash,
  }),
);

const counter = [
  'registerTotal',
  'heartbeatTotal',
  'requestLeaseTotal',
  'leasesGrantedTotal',
  'leasesExpiredTotal',
  'rangesRequeuedTotal',
  'progressTotal',
  'resumeCheckpointAppliedTotal',
  'resumeCheckpointRejectedTotal',
  'resumeRangesAppliedTotal',
] as const;

const liveLease: fc.Arbitrary<LiveLease> = fc
  .tuple(heldLease, u53, u53, u53)
  .map(([held, expiresInMs, deliveredCursor, stillMs]) => ({
    ...{ ...held, expiresInMs },
    ...{ deliveredCursor, stillMs },
  }));

const snapshots: fc.Arbitrary<JobSnapshot> = record({
  type: type('snapshot'),
  spec,
  phase,
  failure: fc.option(record({ code: someText, message: text })),
  jobReady: fc.boolean(),
  jobDrained: fc.boolean(),
  paused: fc.boolean(),
  registeredNodes: u32,
  availableRanges: u53,
  samples: record({ unissued: u53, leased: u53, committed: u53, quarantined: u53 }),
  inputBytes: u53,
  output: record({ rows: u53, bytes: u53, pieces: u53 }),
  outputManifestHash: maybeHash,
  nodes: fc.array(
    record({
      nodeId: node,
      assignedRank: u32,
      heartbeatAgeMs: u53,
      caps,
      stats,
      draining: fc.boolean(),
      leaseCount: u32,
      deliveredSamples: u53,
    }),
    {
      maxLength: 3,
    },
  ),
  liveLeases: fc.array(liveLease, { maxLength: 3 }),
  leases: record({
    count: u53,
    stalledCount: u53,
    leastStillMs: u53,
    stalled: fc.array(liveLease, { maxLength: 3 }),
  }),
  counters: fc
    .tuple(...counter.map(() => u53))
    .map((values) => Object.fromEntries(counter.map((name, at) => [name, values[at]])) as never),
  elastic,
  // See v1-stores.test.ts.
  stores: fc.constant([]),
}).chain((snapshot) => fc.constantFrom(snapshot, { ...snapshot, jobToken: '12.345.6' }));

test('every command of a session arrives as it was sent', () => {
  fc.assert(
    fc.property(u53, commands, (requestId, command) => {
      const message = sent('ClientMessage', commandMessage(requestId, command));
      const speaker = { ...command, instanceId: command.instanceId ?? '' };
      const { jobId: ofJob, nodeId: ofNode, instanceId } = speaker;
      assert.equal(helloFrom(message), null);
      const arrived = commandFrom(message, { jobId: ofJob, nodeId: ofNode, instanceId });
      assert.deepEqual(arrived, command);
    }),
  );
});

test('a request that this version does not know is refused as one without a body', () => {
  // Request 1, and field 31 with an empty message. Nodes go by that code when a coordinator is older than they are.
  const message = wireType('mx8.v1.ClientMessage').decode(Buffer.from([8, 1, 250, 1, 0]));
  const speaker = { jobId: jobId('j'), nodeId: nodeId('n'), instanceId: 'p' };
  assert.throws(() => commandFrom(message, speaker), { code: 'field_missing' });
});

test('a hello says who speaks, with what caps, which checkpoint and of which job', () => {
  fc.assert(
    fc.property(
      record(from),
      caps,
      fc.uint8Array(),
      fc.constantFrom({}, { jobToken: '1.2.0' }),
      (speaker, given, resumeFrom, known) => {
        const rest = { caps: given, resumeFrom, ...known };
        const command = { type: 'register', ...speaker, ...rest } as const;
        const hello = helloFrom(sent('ClientMessage', commandMessage(1, command)));
        assert.deepEqual(hello, { speaker, ...rest });
      },
    ),
  );
});

test('every reply of a session arrives as it was sent', () => {
  fc.assert(
    fc.property(u53, replies, (requestId, reply) => {
      const message = sent('ServerMessage', replyMessage(requestId, reply));
      assert.deepEqual(replyFrom(message), reply);
    }),
  );
});

test('every push arrives as it was sent', () => {
  const pushes: readonly Push[] = [
    { type: 'lease_revoked', leaseId: leaseId({ epoch: 1, seq: 2, index: 3 }), reason: 'expired' },
    { type: 'drain', reason: 'the job is draining' },
    {
      type: 'tuned',
      tuning: { want: 3, maxInflightBytes: 2 ** 40, prefetchBatches: null, maxQueueBatches: 1 },
    },
    { type: 'job_failed', code: 'process_failed', message: 'sample 3' },
    { type: 'work_waits' },
  ];
  for (const push of pushes) {
    assert.deepEqual(pushFrom(sent('ServerMessage', pushMessage(push) ?? {})), push);
  }
});

test('what an operator wants, and what it changed, arrives as it was sent', () => {
  const tuning = { want: null, maxInflightBytes: 7, prefetchBatches: 2, maxQueueBatches: null };
  const operations: readonly Operation[] = [
    { type: 'drain', nodeId: null },
    { type: 'drain', nodeId: nodeId('n') },
    { type: 'release_lease', leaseId: '1.2.3' },
    { type: 'release_node', nodeId: nodeId('n') },
    { type: 'pause' },
    { type: 'resume' },
    { type: 'forget' },
    { type: 'forget', jobToken: '12.345.6' },
    { type: 'tune', nodeId: null, tuning },
    { type: 'tune', nodeId: nodeId('n'), tuning },
  ];
  for (const operation of operations) {
    const command = { type: 'operate', jobId: jobId('j'), operation, dryRun: true } as const;
    assert.deepEqual(operateFrom(sent('OperateRequest', operateMessage(command))), command);
  }
  const changes = [{ what: 'node n want', from: '1', to: '2' }];
  const answer = operatedFrom(sent('OperateResponse', operatedMessage(changes)));
  assert.deepEqual(answer, { type: 'operated', changes });
});

test('what a coordinator says of itself arrives as it was sent', () => {
  const view: CoordinatorView = {
    role: 'standby',
    who: 'a',
    address: '127.0.0.1:1',
    leader: { who: 'b', address: 'https://h:2' },
    epoch: 3,
    appliedSeq: 10,
    tailSeq: 12,
    leadsSinceUnixMs: null,
    serverUnixMs: 1_700_000_000_500,
    webUrl: 'http://h2:50080/',
    version: '1.2.3',
    candidates: [{ who: 'a', address: '127.0.0.1:1', appliedSeq: 10 }],
    storeError: 'no answer from etcd',
  };
  for (const one of [view, { ...view, leader: null, leadsSinceUnixMs: 1_700_000_000_000 }]) {
    const message = sent('GetCoordinatorResponse', coordinatorMessage(one));
    assert.deepEqual(coordinatorFrom(message), one);
  }
});

test('which leases a snapshot lists arrives as it was sent', () => {
  const parts: readonly LeasePart[] = [
    { type: 'places', from: 2 ** 40, count: 20 },
    { type: 'node', nodeId: nodeId('n') },
    { type: 'samples', samples: { start: 0, end: 7 } },
  ];
  for (const part of parts) {
    const choice = { wholeUpTo: 500, part, stallMs: 10_000 };
    const message = sent('GetJobRequest', { jobId: 'j', leases: leaseChoiceMessage(choice) });
    assert.deepEqual(leaseChoiceFrom(message), choice);
  }
  assert.equal(leaseChoiceFrom(sent('GetJobRequest', { jobId: 'j' })), null);
});

test('where no leases were chosen those of a node are counted from the list of all', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const whole = { ...snapshot, leases: null };
      const { nodes, liveLeases, leases } = jobSnapshotFrom(
        sent('JobSnapshot', jobSnapshotMessage(whole)),
      );
      assert.equal(leases, null);
      for (const { nodeId: id, leaseCount, deliveredSamples } of nodes) {
        assert.equal(leaseCount, liveLeases.filter((one) => one.nodeId === id).length);
        assert.equal(deliveredSamples, null);
      }
    }),
  );
});

test('snapshots and pieces arrive as they were sent', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const arrived = jobSnapshotFrom(sent('JobSnapshot', jobSnapshotMessage(snapshot)));
      assert.deepEqual(arrived, snapshot);
    }),
  );
  fc.assert(
    fc.property(record({ start: u53, end: u53, leaseId: lease, quarantined: ids }), (piece) => {
      assert.deepEqual(pieceFrom(sent('CommittedPiece', pieceMessage(piece))), piece);
    }),
  );
});
