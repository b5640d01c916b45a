import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Mx8Error } from '../base/errors.ts';
import { jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import {
  decodeRecords,
  decodeSnapshot,
  encodeRecords,
  encodeSnapshot,
  FORMAT_VERSION,
} from './codec.ts';
import {
  applyEntry,
  assertInvariants,
  committedPieces,
  emptyState,
  step,
  takeOver,
} from './coordinator.ts';
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

/** What a coordinator of an older version wrote down of a job, and what it said of it (`make.ts` there). */
interface OldState {
  readonly version: number;
  readonly entries: readonly string[];
  readonly snapshots: readonly { readonly afterSeq: number; readonly base64: string }[];
  readonly says: {
    readonly leases: readonly { readonly leaseId: string; readonly cursor: number }[];
    readonly pieces: readonly unknown[];
    readonly samples: object;
    readonly counters: object;
  };
  readonly nodes: readonly (readonly [string, number])[];
}

function oldState(version: number): OldState {
  const url = new URL(`../../../test/fixtures/state/version-${version}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as OldState;
}

/** From the snapshot after `afterSeq` entries, or from nothing, and the entries that follow. */
function restored({ entries, snapshots }: OldState, afterSeq: number): CoordinatorState {
  const snapshot = snapshots.find((one) => one.afterSeq === afterSeq);
  const state =
    snapshot === undefined
      ? emptyState()
      : decodeSnapshot(new Uint8Array(Buffer.from(snapshot.base64, 'base64')));
  entries.forEach((text, index) => {
    if (index < afterSeq) return;
    const records = decodeRecords(new TextEncoder().encode(text));
    applyEntry(state, { epoch: 1, seq: index + 1, records }, monoMs(0));
  });
  return state;
}

function saidOf(state: CoordinatorState): Pick<OldState, 'says' | 'nodes'> {
  const at = { epoch: 2, seq: 100, nextIndex: 0, nowMs: monoMs(0), nowUnixMs: 0 };
  const { reply } = step(
    state,
    { type: 'get_snapshot', jobId: jobId('old') },
    { ...at, relief: 'off' },
  );
  assert(reply.type === 'snapshot');
  const { phase, samples, output, availableRanges, counters, liveLeases, nodes } = reply;
  const leases = liveLeases.map(({ leaseId, nodeId: node, range, cursor }) => ({
    ...{ leaseId, node, start: range.start, end: range.end, cursor },
  }));
  const pieces = committedPieces(state, jobId('old'), -1, 100);
  const says = { phase, samples, output, availableRanges, counters, leases, pieces };
  return { says, nodes: nodes.map(({ nodeId: id, assignedRank }) => [id, assignedRank]) };
}

for (let version = 1; version <= FORMAT_VERSION; version += 1) {
  test(`what version ${version} wrote is read, says what it said, and goes on`, () => {
    const old = oldState(version);
    const { says, nodes } = old;
    assert.equal(old.version, version);
    const hashes = [0, ...old.snapshots.map(({ afterSeq }) => afterSeq)].map((afterSeq) => {
      const state = restored(old, afterSeq);
      assertInvariants(state);
      const said = saidOf(state);
      assert.deepEqual(said.nodes, nodes);
      // Counters that no record moves are as good as the last snapshot.
      if (afterSeq === old.entries.length) assert.deepEqual(said.says, says);
      const { counters: _, ...durable } = says;
      const { counters: __, ...saidDurable } = said.says;
      assert.deepEqual(saidDurable, durable);
      return Buffer.from(encodeSnapshot(state, { durableOnly: true })).toString('hex');
    });
    assert.equal(new Set(hashes).size, 1, 'replay and each snapshot with its tail agree');

    const state = restored(old, old.entries.length);
    takeOver(state, monoMs(0));
    const job = state.jobs.get(jobId('old'));
    assert.equal(job?.paused, version >= 2);
    assert.equal(job.nodes.get(nodeId('a'))?.tuning.want, version >= 2 ? 1 : null);
    assert.equal(job.nodes.get(nodeId('b'))?.draining, version >= 2);
    const [lease] = says.leases;
    assert.ok(lease !== undefined);
    const { leaseId, cursor: start } = lease;
    const from = { jobId: jobId('old'), nodeId: nodeId('a'), instanceId: 'process of a' };
    const output = { start, end: start + 2, rows: 2, bytes: 20, quarantined: [] };
    const at = { epoch: 2, seq: 101, nextIndex: 0, nowMs: monoMs(0), nowUnixMs: 0 };
    const command: Command = { type: 'commit', ...from, leaseId, ...output };
    const { reply } = step(state, command, { ...at, relief: 'off' });
    assert.deepEqual(reply, { type: 'accepted', cursor: start + 2, repeated: false, end: 20 });
    assertInvariants(state);
  });
}

test('entries and snapshots of a version to come are refused', () => {
  const { entries, snapshots } = oldState(FORMAT_VERSION);
  const newer = (text: string): Uint8Array =>
    new TextEncoder().encode(text.replace(`"v":${FORMAT_VERSION}`, `"v":${FORMAT_VERSION + 1}`));
  const isNewer = (error: unknown): boolean =>
    error instanceof Mx8Error && error.code === 'coordinator_state_newer';
  assert.throws(() => decodeRecords(newer(entries[0] ?? '')), isNewer);
  const bytes = Buffer.from(snapshots[0]?.base64 ?? '', 'base64').toString('latin1');
  const changed = bytes.replace(`{"v":${FORMAT_VERSION}`, `{"v":${FORMAT_VERSION + 1}`);
  assert.throws(() => decodeSnapshot(new Uint8Array(Buffer.from(changed, 'latin1'))), isNewer);
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
