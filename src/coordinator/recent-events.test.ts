import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobId, nodeId } from '../core/base/units.ts';
import type { Fact } from '../core/job/protocol.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RECENT_EVENTS_MAX } from './limits.ts';
import { RecentEvents } from './recent-events.ts';

function joined(node: string, job = 'j'): Fact {
  return { event: 'node_registered', jobId: jobId(job), nodeId: nodeId(node), rank: 0 };
}

test('the same within a second is one line with a count, per job', async () => {
  const clock = new FakeClock(1000, 1_700_000_000_000);
  const recent = new RecentEvents(clock);
  recent.addFacts([joined('a'), joined('b'), joined('c', 'k')]);
  recent.add('warn', 'log_away', { code: 'x' });
  await clock.advance(1000);
  recent.addFacts([joined('d')]);
  assert.deepEqual(
    recent.list.map(({ event, jobId: job, count, text }) => [event, job, count, text]),
    [
      ['node_registered', 'j', 2, 'node_id=a rank=0'],
      ['node_registered', 'k', 1, 'node_id=c rank=0'],
      ['log_away', '', 1, 'code=x'],
      ['node_registered', 'j', 1, 'node_id=d rank=0'],
    ],
  );
});

test('what is the normal course of work is not listed', () => {
  const recent = new RecentEvents(new FakeClock());
  const lease = { jobId: jobId('j'), nodeId: nodeId('n'), leaseId: '1.1.0', start: 0, end: 9 };
  recent.addFacts([
    { event: 'lease_granted', ...lease } as Fact,
    { event: 'progress', ...lease, cursor: 3 } as Fact,
    { event: 'lease_expired', ...lease, cursor: 3 } as Fact,
  ]);
  assert.deepEqual(
    recent.list.map(({ event, level }) => [event, level]),
    [['lease_expired', 'warn']],
  );
});

test('old events are forgotten', async () => {
  const clock = new FakeClock();
  const recent = new RecentEvents(clock);
  for (let index = 0; index < 3 * RECENT_EVENTS_MAX; index += 1) {
    recent.add('info', `e${index}`, {});
  }
  assert.ok(recent.list.length <= 2 * RECENT_EVENTS_MAX);
  assert.equal(recent.list.at(-1)?.event, `e${3 * RECENT_EVENTS_MAX - 1}`);
});
