import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY_HISTORY, lookAt } from '../src/view/job-view.ts';
import { monoMs } from '../src/core/base/units.ts';
import type { JobSnapshot } from '../src/core/job/protocol.ts';
import { doctorJson, doctorText } from '../src/cli/doctor/doctor-text.ts';
import {
  type CoordinatorEvidence,
  diagnoseCoordinators,
} from '../src/view/diagnose-coordinators.ts';
import { diagnoseJob, type JobEvidence } from '../src/view/diagnose-job.ts';
import { diagnoseMachine, type FolderEvidence } from '../src/view/diagnose-machine.ts';
import { type Finding, SECTIONS, worstOf } from '../src/view/diagnosis.ts';
import { jobSnapshot, LIMITS, liveLease, nodeView } from './support/tui-models.ts';

const CALM = { ramHighWaterBytes: 0, inflightBytes: 0 };

function calmNode(rank: number, heartbeatAgeMs = 100): ReturnType<typeof nodeView> {
  const node = nodeView(rank, { heartbeatAgeMs });
  return { ...node, stats: { ...node.stats, ...CALM } };
}

function jobOf(changes: Partial<JobSnapshot>, manifestError = ''): JobEvidence {
  const snapshot = jobSnapshot(2, { nodes: [calmNode(0), calmNode(1)], ...changes });
  const { view } = lookAt(snapshot, monoMs(1000), EMPTY_HISTORY, LIMITS);
  return { snapshot, view, manifestError, target: '--job-id embed' };
}

function leader(
  changes: Partial<NonNullable<CoordinatorEvidence['answer']>> = {},
): CoordinatorEvidence {
  const answer = {
    role: 'leader' as const,
    leaderAddress: 'a:1',
    epoch: 3,
    tailSeq: 100,
    version: '1.0.0',
    clockAheadMs: 5,
    candidates: [
      { address: 'a:1', appliedSeq: 100 },
      { address: 'b:1', appliedSeq: 98 },
    ],
    storeError: '',
    ...changes,
  };
  return { address: 'a:1', answer, error: '', page: { url: 'http://a:2/', error: '' } };
}

function bad(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ status }) => status !== 'ok');
}

function only(findings: readonly Finding[]): Finding {
  const [first, ...others] = bad(findings);
  assert(first !== undefined, 'something was found');
  assert.deepEqual(others, []);
  return first;
}

test('nothing is found of a job, coordinators and a machine that are well', () => {
  assert.deepEqual(bad(diagnoseJob(jobOf({}))), []);
  assert.deepEqual(bad(diagnoseCoordinators([leader()], '1.0.0')), []);
  const machine = { nodeVersion: 'v24.1.0', memoryBytes: 2 ** 33, folders: [] };
  assert.deepEqual(bad(diagnoseMachine(machine)), []);
});

test('a node that is not heard of is named, with what it holds and how to take it away', () => {
  const nodes = [calmNode(0), calmNode(1, 8000)];
  const found = bad(diagnoseJob(jobOf({ nodes })));
  const finding = found.find(({ section }) => section === 'heartbeat');
  assert.equal(finding?.status, 'problem');
  assert.match(finding.found, /node-1 last heard 8\.0 s ago; they hold 1 lease/);
  assert.ok(finding.run.includes('npx mx8 release --job-id embed --node node-1'));
  assert.match(finding.expect, /ranges_requeued_total \(now 2\) grows/);
});

test('a node that delivers a fifth of what is usual or less is told, once there is a usual', () => {
  const at = (...delivered: readonly number[]): JobEvidence =>
    jobOf({
      nodes: delivered.map((deliveredSamples, rank) => ({ ...calmNode(rank), deliveredSamples })),
    });
  const finding = only(diagnoseJob(at(300, 310, 30, 290)));
  assert.deepEqual([finding.section, finding.status], ['slow', 'notice']);
  assert.match(
    finding.found,
    /1 node delivered .*: node-2 30 samples, half of the nodes 300 or more/,
  );
  assert.ok(finding.run.includes('npx mx8 drain --job-id embed --node node-2 --dry-run'));
  assert.deepEqual(bad(diagnoseJob(at(300, 310, 70, 290))), []);
  assert.deepEqual(bad(diagnoseJob(at(150, 150, 0, 160))), []);
});

test('bytes in flight that leave nothing below the RAM cap are told with a smaller cap', () => {
  const node = calmNode(1);
  const caps = { ...node.caps, maxInflightBytes: 3 * 2 ** 30, maxRamBytes: 4 * 2 ** 30 };
  const finding = only(diagnoseJob(jobOf({ nodes: [calmNode(0), { ...node, caps }] })));
  assert.deepEqual([finding.section, finding.status], ['memory', 'notice']);
  assert.match(finding.run[0] ?? '', /--node node-1 --inflight-bytes 1073741824 --dry-run/);
});

test('a page that cannot be had from here is told with its address', () => {
  const page = { url: 'http://a:2/', error: 'connect ECONNREFUSED' };
  const finding = only(diagnoseCoordinators([{ ...leader(), page }], '1.0.0'));
  assert.deepEqual([finding.section, finding.status], ['setup', 'notice']);
  assert.match(finding.found, /http:\/\/a:2\/ cannot be had from here: connect ECONNREFUSED/);
});

test('a store that is away is told as the cause, and nobody is told to start coordinators again', () => {
  const away = { leaderAddress: null, candidates: [], storeError: 'no answer from etcd at e:2379' };
  const [first, ...others] = bad(
    diagnoseCoordinators([leader({ ...away, role: 'standby' })], '1.0.0'),
  );
  assert.deepEqual([first?.section, first?.status], ['coordinator', 'problem']);
  assert.match(
    first?.found ?? '',
    /^None leads: a:1 runs, but the store .* no answer from etcd at e:2379\.$/,
  );
  assert.ok(!first?.run.some((command) => command.includes('mx8 coordinator')));
  assert.match(first?.expect ?? '', /no coordinator or agent needs a restart/);
  assert.deepEqual(
    others.map(({ check, status, run }) => [check, status, run.length]),
    [['somebody stands by', 'unknown', 0]],
  );
});

test('a lease that stands still is named with the sample at which it does', () => {
  const liveLeases = [liveLease(0), { ...liveLease(1, 7), stillMs: 12_000 }];
  const found = bad(diagnoseJob(jobOf({ liveLeases })));
  const finding = found.find(({ section }) => section === 'lease');
  assert.match(
    finding?.found ?? '',
    /1 lease of 2 stand still; 1\.5\.1 of node-1 for 12 s at sample 107/,
  );
  assert.ok(finding?.run[0]?.includes('--lease 1.5.1'));
});

test('a manifest that cannot be read is a problem with its cause', () => {
  const finding = only(diagnoseJob(jobOf({}, 'no manifest abab is in the store')));
  assert.equal(finding.section, 'manifest');
  assert.match(finding.found, /no manifest abab is in the store/);
});

test('a node close to its RAM cap is found, and the knobs to turn down are named', () => {
  const node = nodeView(0);
  const finding = only(diagnoseJob(jobOf({ nodes: [node, calmNode(1)] })));
  assert.equal(finding.section, 'memory');
  assert.match(finding.run.at(-1) ?? '', /mx8 cap .*--node node-0 --want 1 --prefetch 1$/);
});

test('a paused, a draining and a failed job say how they go on', () => {
  const failure = { code: 'process_failed', message: 'sample 7 of a.jpg: broken' };
  for (const changes of [
    { paused: true },
    { phase: 'draining' as const },
    { phase: 'failed' as const, failure },
  ]) {
    const finding = only(diagnoseJob(jobOf(changes)));
    assert.equal(finding.section, 'job');
    assert.deepEqual(finding.run, ['npx mx8 resume --job-id embed']);
  }
});

test('coordinators: nobody there, nobody leads, a leader beyond the list, nobody stands by', () => {
  const away: CoordinatorEvidence = { address: 'a:1', answer: null, error: 'refused', page: null };
  assert.equal(worstOf(diagnoseCoordinators([away], '1.0.0')), 'problem');
  const standby = leader({ role: 'standby', leaderAddress: null });
  const unled = diagnoseCoordinators([standby], '1.0.0')[0];
  assert.match(unled?.found ?? '', /stand by, but none leads/);
  const elsewhere = leader({ role: 'standby', leaderAddress: 'c:1' });
  const listed = diagnoseCoordinators([elsewhere], '1.0.0')[0];
  assert.match(listed?.run[0] ?? '', /--coord-url a:1,c:1/);
  const alone = leader({ candidates: [{ address: 'a:1', appliedSeq: 100 }] });
  assert.equal(only(diagnoseCoordinators([alone], '1.0.0')).status, 'notice');
});

test('clocks that differ, versions that differ and a standby that is behind are worth a notice', () => {
  const candidates = [
    { address: 'a:1', appliedSeq: 100_000 },
    { address: 'b:1', appliedSeq: 10 },
  ];
  const odd = leader({ clockAheadMs: -60_000, version: '0.9.0', tailSeq: 100_000, candidates });
  const found = bad(diagnoseCoordinators([odd], '1.0.0'));
  assert.deepEqual(
    found.map(({ status, check }) => `${status} ${check}`),
    ['notice somebody stands by', 'notice clocks agree', 'notice versions agree'],
  );
});

test('a machine that cannot work says what is missing', () => {
  const folder: FolderEvidence = {
    what: 'coordinator state',
    path: '/state',
    flag: '--state',
    error: '',
    freeBytes: 2 ** 40,
    sharedOn: null,
  };
  const machine = { nodeVersion: 'v24.1.0', memoryBytes: 2 ** 33 };
  const with1 = (one: Partial<FolderEvidence>): Finding =>
    only(diagnoseMachine({ ...machine, folders: [{ ...folder, ...one }] }));
  assert.match(with1({ error: 'EACCES' }).found, /EACCES/);
  assert.match(with1({ freeBytes: 1000 }).found, /1000 B left|1,000 B left/);
  assert.match(with1({ sharedOn: 'NFS' }).found, /NFS/);
  const small = { nodeVersion: 'v20.1.0', memoryBytes: 2 ** 20, folders: [] };
  assert.equal(bad(diagnoseMachine(small)).length, 2);
});

test('whatever needs a person says which command to type and what should then be seen', () => {
  const everything = [
    ...diagnoseJob(jobOf({ nodes: [nodeView(0, { heartbeatAgeMs: 9000 })], paused: true }, 'x')),
    ...diagnoseCoordinators(
      [{ address: 'a:1', answer: null, error: 'refused', page: null }],
      '1.0.0',
    ),
  ];
  for (const finding of everything.filter(({ status }) => status === 'problem')) {
    assert.notEqual(finding.run.length, 0, finding.check);
    assert.notEqual(finding.expect, '', finding.check);
  }
  const examined = [{ of: 'job embed', findings: everything }];
  const text = doctorText(examined);
  assert.match(text, /PROBLEM {2}nodes are heard of/);
  assert.match(text, new RegExp(`runbook: ${SECTIONS.heartbeat}`));
  const parsed = JSON.parse(doctorJson(examined)) as { status: string; findings: unknown[] };
  assert.equal(parsed.status, 'problem');
  assert.equal(parsed.findings.length, everything.length);
});

test('a store that throttles is told of, with nothing to do', () => {
  const store = {
    ...{ host: 'https://store.example', budget: 12, agents: 3, inFlight: 11, wanted: 90 },
    ...{ jobs: 1, guests: 0 },
    ...{ answeredTotal: 990, refusedTotal: 10, firstByteUs: 25_000, pausedMs: 0 },
  };
  const finding = only(diagnoseJob(jobOf({ stores: [store] })));
  assert.equal(finding.status, 'notice');
  assert.deepEqual(finding.run, []);
  assert.match(
    finding.found,
    /^https:\/\/store\.example throttles: 11 requests in flight, of at most 12; 10 requests refused \(1\.0 %\); 3 agents, which would have 90\./,
  );
  const shared = { ...store, guests: 1 };
  assert.match(
    only(diagnoseJob(jobOf({ stores: [shared] }))).found,
    /of at most 12 that this job and 1 guest share;/,
  );
  const calm = { ...store, budget: null, refusedTotal: 0 };
  assert.deepEqual(bad(diagnoseJob(jobOf({ stores: [calm] }))), []);
});
