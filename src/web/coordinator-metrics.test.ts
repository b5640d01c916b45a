import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobId } from '../core/base/units.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { Meters } from '../coordinator/meters.ts';
import { digestAt, seenAt } from '../../test/support/seen.ts';
import { writeCoordinatorMetrics } from './coordinator-metrics.ts';
import { MetricsText } from './metrics-text.ts';

const STORE = {
  ...{ host: 'https://store.example', budget: 12, agents: 3, inFlight: 11, wanted: 90 },
  ...{ jobs: 1, guests: 0 },
  ...{ answeredTotal: 990, refusedTotal: 10, firstByteUs: 25_000, pausedMs: 1500 },
};

test('jobs that were forgotten are counted by why', () => {
  const meters = new Meters(new FakeClock());
  const fact = { event: 'job_forgotten', jobId: jobId('job'), phase: 'completed' } as const;
  meters.add([
    { ...fact, why: 'age' },
    { ...fact, why: 'operator' },
    { ...fact, why: 'age' },
  ]);
  const text = new MetricsText();
  writeCoordinatorMetrics(text, seenAt(2000, [digestAt(2000, 1)]), 0, meters);
  assert.match(text.toString(), /^mx8_jobs_forgotten_total\{why="age"\} 2$/m);
  assert.match(text.toString(), /^mx8_jobs_forgotten_total\{why="operator"\} 1$/m);
});

test('stores stand with their budget, what is wanted of them and what they refused', () => {
  const digest = {
    ...digestAt(2000, 1),
    stores: [STORE, { ...STORE, host: 'https://other.example', budget: null }],
  };
  const text = new MetricsText();
  writeCoordinatorMetrics(text, seenAt(2000, [digest]), 0, new Meters(new FakeClock()));
  const lines = text
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('mx8_store_') && !line.includes('other'));
  const own = '{job_id="job",host="https://store.example"}';
  assert.deepEqual(lines, [
    `mx8_store_budget_requests${own} 12`,
    `mx8_store_jobs${own} 1`,
    `mx8_store_guests${own} 0`,
    `mx8_store_inflight_requests${own} 11`,
    `mx8_store_wanted_requests${own} 90`,
    `mx8_store_answered_total${own} 990`,
    `mx8_store_refused_total${own} 10`,
    `mx8_store_first_byte_seconds${own} 0.025`,
    `mx8_store_paused_seconds${own} 1.5`,
  ]);
  assert.doesNotMatch(text.toString(), /budget_requests\{[^}]*other/);
});
