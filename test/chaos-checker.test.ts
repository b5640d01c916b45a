/** The checker of chaos runs finds what it is there for: a good history, and that one made wrong. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { checkHistory } from './chaos/check-history.ts';
import type { Call, Exit, HistoryItem, LoggedEvent } from './chaos/history.ts';
import { CLOCK_FAULTS, makePlan, PROCESS_FAULTS } from './chaos/plan.ts';

const BOUNDS = { callMsMax: 1000 };

function event(process: string, name: string, fields: object): LoggedEvent {
  const rest = { ...fields };
  return { kind: 'event', atMs: 0, process, role: 'coordinator', event: name, fields: rest };
}

function call(name: string, said: Record<string, unknown>, changes: Partial<Call> = {}): Call {
  const times = { sentMs: 10, endedMs: 20 };
  const line = { client: 'n', call: name, address: 'a', outcome: 'ok', code: '' } as const;
  return { kind: 'call', ...line, ...times, said, ...changes };
}

function committed(process: string, token: string, from: number, to: number): LoggedEvent {
  return event(process, 'output_committed', { job_id: 'j', lease_id: token, from, to });
}

function leader(epoch: number, sentMs: number): Call {
  return call('coordinator', { role: 'leader', epoch }, { sentMs, endedMs: sentMs + 5 });
}

function exit(changes: Partial<Exit>): Exit {
  const how = { code: 0, signal: null, because: '' };
  return {
    kind: 'exit',
    atMs: 0,
    process: 'c0#1',
    role: 'coordinator',
    pid: 7,
    ...how,
    ...changes,
  };
}

function good(): HistoryItem[] {
  return [
    event('c0#1', 'leader_claimed', { epoch: 1 }),
    event('c0#1', 'lease_granted', { lease_id: '1.2.0' }),
    committed('c0#1', '1.2.0', 0, 5),
    leader(1, 100),
    event('c1#1', 'leader_claimed', { epoch: 2 }),
    event('c1#1', 'lease_granted', { lease_id: '2.4.0' }),
    committed('c1#1', '2.4.0', 5, 10),
    leader(2, 200),
    call('commit', { job: 'j', leaseId: '1.2.0', start: 0, end: 5 }),
    call('RequestLease', { leases: [{ leaseId: '2.5.0' }] }),
    call('ReportProgress', { leaseId: '2.5.0', start: 0, cursor: 4 }),
    call('ReportProgress', { leaseId: '2.6.0', start: 4, cursor: 8 }),
    { kind: 'piece', jobId: 'j', start: 0, end: 5, leaseId: '1.2.0' },
    { kind: 'piece', jobId: 'j', start: 5, end: 10, leaseId: '2.4.0' },
    { kind: 'job', jobId: 'j', sampleCount: 10, committed: 10, isDrained: true, leasesExpired: 0 },
    exit({ because: 'kill-leader', signal: 'SIGKILL', code: null }),
    exit({ process: 'a0#1', role: 'agent' }),
  ];
}

test('a history without fault passes', () => {
  assert.deepEqual(checkHistory(good(), BOUNDS), []);
});

const WRONG: readonly (readonly [string, readonly HistoryItem[], RegExp])[] = [
  [
    'two claimants of one epoch',
    [event('c2#1', 'leader_claimed', { epoch: 2 })],
    /epoch 2 was claimed by c1#1 and by c2#1/,
  ],
  [
    'a process that claims an older epoch',
    [event('c1#1', 'leader_claimed', { epoch: 0 })],
    /c1#1 claimed epoch 0 after epoch 2/,
  ],
  [
    'a token that is granted twice',
    [event('c1#1', 'lease_granted', { lease_id: '2.4.0' })],
    /token 2\.4\.0 was granted by/,
  ],
  [
    'a token of another process’s epoch',
    [event('c0#1', 'lease_granted', { lease_id: '2.9.0' })],
    /token 2\.9\.0 was granted by c0#1/,
  ],
  ['a sample committed twice', [committed('c1#1', '2.7.0', 3, 5)], /logged as committed twice/],
  ['a commit that is lost', [committed('c1#1', '2.7.0', 10, 12)], /was committed and is lost/],
  [
    'an answered commit that is lost',
    [call('commit', { job: 'j', leaseId: '2.7.0', start: 7, end: 9 })],
    /was answered and is lost/,
  ],
  [
    'a job that is not done',
    [{ kind: 'job', jobId: 'k', sampleCount: 3, committed: 2, isDrained: false, leasesExpired: 0 }],
    /job k ended with 2 of 3/,
  ],
  [
    'a token given to two nodes',
    [call('RequestLease', { leases: [{ leaseId: '2.5.0' }] }, { client: 'other' })],
    /was given to n and to other/,
  ],
  [
    'a sample delivered under two tokens',
    [call('ReportProgress', { leaseId: '2.8.0', start: 6, cursor: 9 })],
    /answered as delivered twice/,
  ],
  ['a leader that answers after the next', [leader(1, 300)], /answered as the leader of epoch 1/],
  [
    'a call that is decided late',
    [call('commit', {}, { outcome: 'refused', endedMs: 2000 })],
    /decided after/,
  ],
  ['a coordinator that ends by itself', [exit({ code: 1 })], /c0#1 ended by itself with 1/],
  [
    'an agent that fails',
    [exit({ process: 'a1#1', role: 'agent', code: 1 })],
    /a1#1 ended by itself/,
  ],
];

for (const [what, items, expected] of WRONG) {
  test(`the checker finds ${what}`, () => {
    const wrong = checkHistory([...good(), ...items], BOUNDS);
    assert(
      wrong.some((line) => expected.test(line)),
      wrong.join('\n'),
    );
  });
}

test('a run that recorded nothing does not pass', () => {
  assert(checkHistory([], BOUNDS).length >= 4);
});

test('a paused writer that a standby ended did not end by itself', () => {
  const ended = [
    event('c1#1', 'paused_writer_ended', { pid: 9 }),
    exit({ pid: 9, signal: 'SIGKILL', code: null }),
  ];
  assert.deepEqual(checkHistory([...good(), ...ended], BOUNDS), []);
});

test('the same seed makes the same plan, and every kind of fault comes before any comes again', () => {
  const kinds = [...PROCESS_FAULTS, ...CLOCK_FAULTS];
  const plan = makePlan(7, 120_000, kinds);
  assert.deepEqual(plan, makePlan(7, 120_000, kinds));
  assert.notDeepEqual(plan, makePlan(8, 120_000, kinds));
  assert.equal(new Set(plan.slice(0, kinds.length).map(({ kind }) => kind)).size, kinds.length);
});
