/** Transcripts: `<time> <event>` and below it what the holder does. The coordinator is the test. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { type HolderEventBody, HolderScript } from '../../../test/support/holder-script.ts';
import { jobId, leaseId, manifestHash, nodeId, type LeaseId } from '../base/units.ts';
import type { JobPhase, JobSpec, Lease, LeasesGranted, Registered } from '../job/protocol.ts';
import type { HolderAnswer, HolderCall, HolderEffect, StagedPiece } from './holder-protocol.ts';

const SPEC: JobSpec = {
  jobId: jobId('job'),
  manifestHash: manifestHash('0'.repeat(64)),
  sampleCount: 100,
  blockSize: 10,
  worldSize: 2,
  minWorldSize: 1,
  shuffle: false,
  seed: 0n,
  epoch: 0,
  leaseTtlMs: 10_000,
  heartbeatIntervalMs: 60_000,
  commitsOutputs: true,
  adoptsFirstJobId: false,
};
const ELASTIC = {
  transitionPending: false,
  transitionsTotal: 0,
  lastTransitionReason: '',
  currentWorldSize: 1,
  targetWorldSize: 1,
  lastTransitionUnixMs: 0,
};
const L1 = leaseId({ epoch: 1, seq: 1, index: 0 });
const L2 = leaseId({ epoch: 1, seq: 2, index: 0 });

function registered(jobReady = true, commitsOutputs = true): Registered {
  return {
    type: 'registered',
    spec: { ...SPEC, commitsOutputs },
    assignedRank: 0,
    registeredNodes: 1,
    jobReady,
    phase: 'running',
    elastic: ELASTIC,
  };
}

function leases(
  granted: readonly Lease[],
  waitMs = 0,
  jobDrained = false,
  phase: JobPhase = 'running',
): LeasesGranted {
  return { type: 'leases', leases: granted, waitMs, jobDrained, phase, elastic: ELASTIC };
}

function lease(id: LeaseId, start: number, cursor = start): Lease {
  return { leaseId: id, nodeId: nodeId('n'), range: { start, end: start + 10 }, cursor };
}

function piece(id: LeaseId, start: number, end: number): StagedPiece {
  return { leaseId: id, start, end, rows: end - start, bytes: 1, quarantined: [] };
}

function accepted(cursor: number, end: number | null = null): HolderAnswer {
  return { type: 'accepted', cursor, repeated: false, end };
}

function renewed(...ends: readonly (number | null)[]): HolderAnswer {
  return { type: 'renewed', ends };
}

const OK: HolderAnswer = { type: 'ok' };

/** A holder that wants one lease; time moves with `at`. */
class Script extends HolderScript {
  constructor() {
    const options = { want: 1, progressIntervalMs: 500, finalizes: true, seed: 1 };
    super({ ...options, nodeIdBusyMaxMs: null }, shown);
  }

  /** Registered, with the lease L1 of samples [0, 10), asked for at 0. */
  static holding(commitsOutputs = true): Script {
    const script = new Script();
    script.tell({ type: 'start' });
    script.answer('register', registered(true, commitsOutputs));
    script.answer('heartbeat', OK);
    script.at(20).answer('request_leases', leases([lease(L1, 0)]));
    return script;
  }
}

function shown(effect: HolderEffect): string[] {
  switch (effect.type) {
    case 'call':
      return effect.call.type === 'heartbeat' ? [] : [`call ${callShown(effect.call)}`];
    case 'lease_started':
      return [`start ${effect.lease.leaseId} at ${effect.lease.cursor}`];
    case 'lease_lost':
    case 'lease_finished':
    case 'lease_released':
      return [`${effect.type} ${effect.leaseId}`];
    case 'lease_shortened':
      return [`shortened ${effect.leaseId} to ${effect.end}`];
    case 'piece_committed':
      return [`committed ${effect.piece.start}-${effect.piece.end}`];
    case 'finalize_granted':
      return [`finalize ${effect.finalizeToken}`];
    case 'ended':
      return [`ended ${effect.outcome.type}`];
    default:
      return [];
  }
}

function callShown(call: HolderCall): string {
  switch (call.type) {
    case 'request_leases':
      return `request ${call.want} held [${call.held.join(' ')}]`;
    case 'progress':
      return `progress ${call.leaseId} ${call.cursor}`;
    case 'renew':
      return `renew ${call.leaseIds.join(' ')}`;
    case 'commit':
      return `commit ${call.piece.start}-${call.piece.end}`;
    case 'release':
      return `release ${call.leaseId}`;
    case 'fail_job':
      return call.jobToken === undefined ? 'fail_job' : `fail_job of ${call.jobToken}`;
    default:
      return call.type;
  }
}

test('a node registers until the job is ready, then asks for leases', () => {
  const script = new Script();
  assert.deepEqual(script.tell({ type: 'start' }), ['call register']);
  assert.deepEqual(script.answer('register', registered(false)), []);
  assert.deepEqual(script.at(100).tell({ type: 'tick' }), []);
  assert.deepEqual(script.at(200).tell({ type: 'tick' }), ['call register']);
  assert.deepEqual(script.answer('register', registered()), ['call request 1 held []']);
  assert.deepEqual(script.at(210).answer('request_leases', leases([lease(L1, 0)])), [
    'start 1.1.0 at 0',
  ]);
});

test('a node that waits for others says so once for each number of nodes', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  const waits = (nodes: number, ready: boolean): readonly unknown[] => {
    const answer = { ...registered(ready), registeredNodes: nodes };
    const effects = script.effectsOf('register', answer);
    return effects.filter(({ type }) => type === 'fact');
  };
  const said = (nodes: number): unknown => ({
    type: 'fact',
    level: 'info',
    event: 'membership_wait',
    fields: { job_id: SPEC.jobId, registered_nodes: nodes, min_world_size: SPEC.minWorldSize },
  });
  assert.deepEqual(waits(1, false), [said(1)]);
  script.at(200).tell({ type: 'tick' });
  assert.deepEqual(waits(1, false), []);
  script.at(400).tell({ type: 'tick' });
  assert.deepEqual(waits(2, false), [said(2)]);
  script.at(600).tell({ type: 'tick' });
  assert.deepEqual(waits(3, true), []);
});

test('a node says that its coordinator is lost, and found again, but not that it was there first', () => {
  const script = new Script();
  const events = (event: HolderEventBody): readonly string[] =>
    script.step(event).flatMap((effect) => (effect.type === 'fact' ? [effect.event] : []));
  script.tell({ type: 'start' });
  assert.deepEqual(events({ type: 'connected' }), []);
  script.answer('register', registered());
  const message = 'connect ECONNREFUSED';
  assert.deepEqual(events({ type: 'disconnected', message }), ['coordinator_lost']);
  assert.deepEqual(events({ type: 'disconnected', message }), []);
  assert.deepEqual(events({ type: 'connected' }), ['coordinator_found']);
});

test('a lease is renewed although nothing moved, and its time counts from before the renewal was sent', () => {
  const script = Script.holding();
  assert.deepEqual(script.at(1_000).tell({ type: 'tick' }), ['call renew 1.1.0']);
  assert.deepEqual(script.at(1_400).answer('renew', renewed(10)), []);
  assert.deepEqual(script.at(2_000).tell({ type: 'tick' }), ['call renew 1.1.0']);
  assert.deepEqual(script.at(9_999).tell({ type: 'tick' }), []);
  // Renewed last by what was sent at 1,000; a tenth of the 10,000 is left unused.
  assert.equal(script.wakeMs, 10_000);
  assert.deepEqual(script.at(10_000).tell({ type: 'tick' }), [
    'lease_lost 1.1.0',
    'call request 1 held []',
  ]);
});

test('what is staged after the deadline is not committed', () => {
  const script = Script.holding();
  assert.deepEqual(script.at(9_000).tell({ type: 'piece_staged', piece: piece(L1, 0, 10) }), [
    'lease_lost 1.1.0',
    'call request 1 held []',
  ]);
});

test('pieces are committed one after the other and the last one ends the lease', () => {
  const script = Script.holding();
  assert.deepEqual(script.tell({ type: 'piece_staged', piece: piece(L1, 0, 4) }), [
    'call commit 0-4',
  ]);
  assert.deepEqual(script.tell({ type: 'piece_staged', piece: piece(L1, 4, 10) }), []);
  assert.deepEqual(script.answer('commit', accepted(4)), ['committed 0-4', 'call commit 4-10']);
  assert.deepEqual(script.answer('commit', accepted(10)), [
    'committed 4-10',
    'lease_finished 1.1.0',
    'call request 1 held []',
  ]);
});

test('a commit whose answer was lost is made again after the node has registered again', () => {
  const script = Script.holding();
  script.tell({ type: 'piece_staged', piece: piece(L1, 0, 10) });
  assert.deepEqual(script.refuse('commit', 'coordinator_unavailable'), []);
  assert.deepEqual(script.at(300).tell({ type: 'tick' }), ['call register']);
  assert.deepEqual(script.answer('register', registered()), [
    'call commit 0-10',
    'call progress 1.1.0 10',
  ]);
  const repeated = { type: 'accepted', cursor: 10, repeated: true, end: 10 } as const;
  assert.deepEqual(script.answer('commit', repeated), [
    'committed 0-10',
    'lease_finished 1.1.0',
    'call request 1 held []',
  ]);
});

test('a commit answered after the lease was lost here still counts', () => {
  const script = Script.holding();
  script.tell({ type: 'piece_staged', piece: piece(L1, 0, 10) });
  script.at(9_000).tell({ type: 'tick' });
  assert.deepEqual(script.answer('commit', accepted(10)), ['committed 0-10']);
});

test('a lease out of a repeated request is renewed before work on it begins', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  script.answer('register', registered());
  script.refuse('request_leases', 'coordinator_unavailable');
  script.at(200).tell({ type: 'tick' });
  assert.deepEqual(script.answer('register', registered()), ['call request 1 held []']);
  assert.deepEqual(script.answer('request_leases', leases([lease(L1, 0, 3)])), [
    'call renew 1.1.0',
  ]);
  assert.deepEqual(script.answer('renew', renewed(10)), ['start 1.1.0 at 3']);
});

test('a lease that was lost for a while goes on with reports that do not go back', () => {
  const script = Script.holding();
  script.at(400).tell({ type: 'delivered', leaseId: L1, cursor: 7, samples: 7, bytes: 7 });
  script.at(9_000).tell({ type: 'tick' });
  assert.deepEqual(script.answer('request_leases', leases([lease(L1, 0, 2)])), [
    'call progress 1.1.0 7',
  ]);
});

test('a revoked lease, and one the coordinator does not know, is stopped at once', () => {
  const revoked = Script.holding();
  assert.deepEqual(revoked.tell({ type: 'lease_revoked', leaseId: L1, reason: 'replaced' }), [
    'lease_lost 1.1.0',
    'call request 1 held []',
  ]);
  const unknown = Script.holding();
  unknown.at(2_250).tell({ type: 'tick' });
  assert.deepEqual(unknown.answer('renew', renewed(null)), [
    'lease_lost 1.1.0',
    'call request 1 held []',
  ]);
  const moved = Script.holding();
  moved.tell({ type: 'delivered', leaseId: L1, cursor: 3, samples: 3, bytes: 3 });
  assert.deepEqual(moved.at(520).tell({ type: 'tick' }), ['call progress 1.1.0 3']);
  assert.deepEqual(moved.refuse('progress', 'lease_unknown'), [
    'lease_lost 1.1.0',
    'call request 1 held []',
  ]);
});

test('a report that a commit has overtaken costs nothing', () => {
  const script = Script.holding();
  script.tell({ type: 'delivered', leaseId: L1, cursor: 3, samples: 3, bytes: 3 });
  script.at(1_000).tell({ type: 'tick' });
  assert.deepEqual(script.refuse('progress', 'cursor_regressed'), []);
});

test('a lease that does not take our commit is handed back', () => {
  const script = Script.holding();
  script.tell({ type: 'piece_staged', piece: piece(L1, 0, 4) });
  assert.deepEqual(script.refuse('commit', 'commit_mismatch'), [
    'lease_lost 1.1.0',
    'call release 1.1.0',
  ]);
  assert.deepEqual(script.answer('release', OK), ['call request 1 held []']);
});

test('in a job without outputs the report of the end is the commit and goes at once', () => {
  const script = Script.holding(false);
  const end = { type: 'delivered', leaseId: L1, cursor: 10, samples: 10, bytes: 10 } as const;
  assert.deepEqual(script.tell(end), ['call progress 1.1.0 10']);
  assert.deepEqual(script.answer('progress', accepted(10)), [
    'lease_finished 1.1.0',
    'call request 1 held []',
  ]);
  assert.deepEqual(script.answer('request_leases', leases([], 0, true, 'completed')), [
    'call leave',
  ]);
  assert.deepEqual(script.answer('leave', OK), ['ended completed']);
});

test('a node that winds down reports, releases, then leaves by itself', () => {
  const script = Script.holding(false);
  script.tell({ type: 'delivered', leaseId: L1, cursor: 4, samples: 4, bytes: 4 });
  assert.deepEqual(script.tell({ type: 'stop_requesting' }), []);
  assert.deepEqual(script.tell({ type: 'release', leaseId: L1 }), ['call progress 1.1.0 4']);
  assert.deepEqual(script.answer('progress', accepted(4)), ['call release 1.1.0']);
  assert.deepEqual(script.answer('release', OK), ['lease_released 1.1.0', 'call leave']);
  assert.deepEqual(script.answer('leave', OK), ['ended drained']);
});

test('leases that arrive while a node winds down go back without being begun', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  script.answer('register', registered());
  assert.deepEqual(script.tell({ type: 'stop_requesting' }), []);
  assert.deepEqual(script.answer('request_leases', leases([lease(L2, 0)])), ['call release 1.2.0']);
  assert.deepEqual(script.answer('release', OK), ['call leave']);
});

test('no cursor is sent that lies before one that was sent, also for a lease that was given up, lost and handed over again', () => {
  const script = Script.holding();
  const staged = { type: 'piece_staged', piece: piece(L1, 0, 8) } as const;
  assert.deepEqual(script.at(500).tell(staged), ['call commit 0-8']);
  assert.deepEqual(script.at(1000).tell({ type: 'tick' }), ['call progress 1.1.0 8']);
  // Nobody heard what became of that; the work is given up, and the lease runs out.
  script.refuse('commit', 'cursor_outside');
  script.at(2000).refuse('progress', 'coordinator_unavailable');
  script.at(11_000).tell({ type: 'tick' });
  script.answer('register', registered());
  assert.deepEqual(script.answer('request_leases', leases([lease(L1, 0)])), [
    'call progress 1.1.0 8',
  ]);
});

test('after the session broke the node registers again and keeps its leases', () => {
  const script = Script.holding();
  assert.deepEqual(script.at(400).tell({ type: 'disconnected' }), []);
  assert.deepEqual(script.at(450).tell({ type: 'connected' }), ['call register']);
  assert.deepEqual(script.answer('register', registered()), ['call renew 1.1.0']);
});

test('the node whose turn it is publishes the outputs of a drained job and completes it', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  script.answer('register', registered());
  assert.deepEqual(script.answer('request_leases', leases([], 0, true)), ['call request_finalize']);
  const finalize = { type: 'finalize', phase: 'running', outputManifestHash: null } as const;
  const notYet = { ...finalize, finalizeToken: null, waitMs: 200 };
  assert.deepEqual(script.answer('request_finalize', notYet), []);
  assert.deepEqual(script.at(200).tell({ type: 'tick' }), ['call request_finalize']);
  const granted = { ...finalize, finalizeToken: 't', waitMs: 0 };
  assert.deepEqual(script.answer('request_finalize', granted), ['finalize t']);
  const outputManifestHash = manifestHash('1'.repeat(64));
  assert.deepEqual(script.tell({ type: 'finalized', finalizeToken: 't', outputManifestHash }), [
    'call complete_job',
  ]);
  assert.deepEqual(script.answer('complete_job', OK), ['call leave']);
  assert.deepEqual(script.answer('leave', OK), ['ended completed']);
});

test('a node id in use is asked for again for a TTL and some, then the node ends', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  let tries = 0;
  for (let nowMs = 0; ; nowMs = script.wakeMs ?? assert.fail('it goes on')) {
    script.at(nowMs).tell({ type: 'tick' });
    tries += 1;
    const told = script.refuse('register', 'node_id_in_use');
    if (told.length > 0) {
      assert.deepEqual(told, ['ended failed']);
      assert(nowMs >= 12_000 && nowMs < 15_000, String(nowMs));
      break;
    }
  }
  assert(tries > 5);
});

test('a failure is told until the coordinator has heard it, but not for ever', () => {
  const script = Script.holding();
  const failure = { type: 'fail', code: 'process_failed', message: 'no' } as const;
  assert.deepEqual(script.tell(failure), ['lease_lost 1.1.0', 'call fail_job']);
  let tries = 1;
  for (let told: string[] = []; !told.includes('call leave');) {
    told = script.refuse('fail_job', 'coordinator_unavailable');
    if (told.length > 0) continue;
    for (let again: string[] = []; !again.includes('call fail_job');) {
      const nowMs = script.wakeMs ?? assert.fail('it goes on');
      again = script.at(nowMs).tell({ type: 'tick' });
      if (again.includes('call register')) script.refuse('register', 'coordinator_unavailable');
    }
    tries += 1;
  }
  assert.equal(tries, 20);
  assert.deepEqual(script.answer('leave', OK), ['ended failed']);
});

test('a failure is told of the job that the node was let in to', () => {
  const script = new Script();
  script.tell({ type: 'start' });
  script.answer('register', { ...registered(), jobToken: '1.2.0' });
  const failure = { type: 'fail', code: 'process_failed', message: 'no' } as const;
  assert.deepEqual(script.tell(failure), ['call fail_job of 1.2.0']);
});

test('what a leader could not settle any more is asked of the next one, and ends no node', () => {
  for (const code of ['store_outcome_unknown', 'store_unavailable'] as const) {
    const script = Script.holding();
    script.tell({ type: 'piece_staged', piece: piece(L1, 0, 10) });
    assert.deepEqual(script.refuse('commit', code), []);
    assert.deepEqual(script.at(300).tell({ type: 'tick' }), ['call register']);
    assert.ok(script.answer('register', registered()).includes('call commit 0-10'));
  }
});

test('a lease whose tail was given away is worked on up to its new end', () => {
  const script = Script.holding();
  script.tell({ type: 'piece_staged', piece: piece(L1, 0, 4) });
  assert.deepEqual(script.answer('commit', accepted(4, 7)), [
    'committed 0-4',
    'shortened 1.1.0 to 7',
  ]);
  assert.deepEqual(script.tell({ type: 'piece_staged', piece: piece(L1, 4, 7) }), [
    'call commit 4-7',
  ]);
  assert.deepEqual(script.answer('commit', accepted(7, 7)), [
    'committed 4-7',
    'lease_finished 1.1.0',
    'call request 1 held []',
  ]);
});

test('a node that worked beyond the new end gives the lease back', () => {
  const script = Script.holding();
  script.tell({ type: 'piece_staged', piece: piece(L1, 0, 4) });
  script.tell({ type: 'piece_staged', piece: piece(L1, 4, 9) });
  assert.deepEqual(script.answer('commit', accepted(4, 7)), [
    'committed 0-4',
    'lease_lost 1.1.0',
    'call release 1.1.0',
  ]);
});
