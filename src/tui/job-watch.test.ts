import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  jobSnapshot,
  LIMITS,
  liveLease,
  nodeView,
  watchedAfter,
} from '../../test/support/tui-models.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { jobId } from '../core/base/units.ts';
import type { JobSnapshot } from '../core/job/protocol.ts';
import { FakeClock } from '../testing/index.ts';
import { JobWatch } from './job-watch.ts';
import type { ManifestRows } from './report.ts';
import { overallStates, panelStates } from './report.ts';

function names(watched: ReturnType<typeof watchedAfter>): readonly string[] {
  return watched.events.slice(1).map(({ name }) => name);
}

test('nodes that join, fall silent, come back and leave are events', () => {
  const silent = jobSnapshot(2, { nodes: [nodeView(0), nodeView(1, { heartbeatAgeMs: 7000 })] });
  const watched = watchedAfter(
    jobSnapshot(1),
    jobSnapshot(2),
    silent,
    jobSnapshot(2),
    jobSnapshot(1),
  );
  assert.deepEqual(
    names(watched).filter((name) => name !== 'health'),
    ['node_registered', 'heartbeat_stale', 'heartbeat_back', 'rank_released'],
  );
});

test('a thousand nodes that join between two polls are one event', () => {
  const watched = watchedAfter(jobSnapshot(0), jobSnapshot(1000));
  const joined = watched.events.filter(({ name }) => name === 'node_registered');
  assert.deepEqual(
    joined.map(({ text }) => text),
    ['node-0 (rank 0), node-1 (rank 1), node-2 (rank 2) and 997 more'],
  );
});

test('grants and expiries are counted from the counters and name the leases', () => {
  const before = jobSnapshot(2);
  const { counters } = before;
  const after = jobSnapshot(2, {
    liveLeases: [liveLease(0), liveLease(7)],
    counters: {
      ...counters,
      leasesGrantedTotal: 41,
      leasesExpiredTotal: 2,
      rangesRequeuedTotal: 3,
    },
  });
  const texts = watchedAfter(before, after)
    .events.slice(1)
    .map(({ name, text }) => `${name} ${text}`);
  assert.deepEqual(texts, [
    'lease_granted 1: 1.5.7 to node-7',
    'lease_expired 1: 1.5.1 of node-1 at 110',
    'range_requeued 1',
  ]);
});

test('phases, drained and a restart of the coordinator are events', () => {
  const done = jobSnapshot(1, { phase: 'completed', jobDrained: true });
  assert.deepEqual(names(watchedAfter(jobSnapshot(1), done)), ['job_drained', 'phase']);
  const { counters } = jobSnapshot(1);
  const restarted = jobSnapshot(1, { counters: { ...counters, heartbeatTotal: 0 } });
  assert.deepEqual(names(watchedAfter(jobSnapshot(1), restarted)), ['coordinator_restarted']);
});

test('a coordinator that goes and comes back keeps the last answer and tells for how long', () => {
  const watched = watchedAfter(jobSnapshot(1), null, null, jobSnapshot(1));
  assert.deepEqual(names(watched), ['coordinator_away', 'coordinator_back']);
  assert.equal(watched.events.at(-1)?.text, 'it answers again, after 3.0 s');
  assert.equal(watchedAfter(jobSnapshot(1), null).look?.snapshot.registeredNodes, 1);
});

test('the rate of a node is what it delivered in the time between polls', () => {
  const at = (delivered: number): ReturnType<typeof jobSnapshot> =>
    jobSnapshot(2, {
      nodes: [nodeView(0, { deliveredSamples: delivered }), nodeView(1, { deliveredSamples: 10 })],
    });
  const { perSecond } = watchedAfter(at(10), at(40)).rates;
  assert.deepEqual([perSecond.get('node-0'), perSecond.get('node-1')], [30, 0]);
});

const READY: ManifestRows = {
  state: 'ready',
  origin: 'the coordinator',
  hash: 'ab',
  sampleCount: 0,
  rows: [],
  search: '',
  failure: '',
};

test('a panel that had something once is not empty, one that failed at the end is failed', () => {
  const states = [jobSnapshot(0, { liveLeases: [] }), jobSnapshot(2)].map((snapshot) =>
    panelStates(watchedAfter(snapshot), READY),
  );
  assert.equal(states[0]?.nodes.state, 'empty');
  const [early, late] = states;
  if (early === undefined || late === undefined) assert.fail('two states');
  assert.equal(overallStates([late, early]).nodes.state, 'ok');
  assert.equal(overallStates([early]).nodes.state, 'empty');
  assert.equal(overallStates([early]).manifest.reason, 'it has no rows');
  const away = panelStates(watchedAfter(jobSnapshot(2), null), READY);
  assert.deepEqual(overallStates([late, away]).job, { state: 'failed', reason: 'nobody is there' });
});

test('who named no job watches the next one when the first was forgotten, and who named one does not', async () => {
  for (const named of [null, jobId('first')]) {
    const running = new Map<string, JobSnapshot>();
    const submit = (id: string, nodes: number): void => {
      const { spec } = jobSnapshot(nodes);
      running.set(id, jobSnapshot(nodes, { spec: { ...spec, jobId: jobId(id) } }));
    };
    const client = {
      listJobs: async () => [...running.values()],
      snapshot: async (id: string) => {
        const found = running.get(id);
        if (found === undefined) throw new Mx8Error('job_unknown', `runs no job "${id}"`);
        return found;
      },
    };
    const watch = new JobWatch({ client, clock: new FakeClock(), jobId: named, limits: LIMITS });
    submit('first', 2);
    await watch.poll();
    running.clear();
    assert.equal((await watch.poll()).link.state, 'refused');
    submit('second', 1);
    const { link, look, events } = await watch.poll();
    assert.equal(link.state, named === null ? 'up' : 'refused');
    assert.equal(look?.snapshot.spec.jobId, named === null ? 'second' : 'first');
    // Its nodes have not gone: it is another job.
    const told = events.map(({ name }) => name);
    assert.deepEqual(told.slice(0, 2), ['watching', 'coordinator_refuses']);
    assert.deepEqual(told.slice(2), named === null ? ['coordinator_back', 'watching'] : []);
  }
});

test('a finished job needs no nodes and no leases', () => {
  const done = jobSnapshot(0, { jobDrained: true, liveLeases: [] });
  const { nodes, leases } = panelStates(watchedAfter(done), READY);
  assert.deepEqual([nodes.state, leases.state], ['ok', 'ok']);
});
