import assert from 'node:assert/strict';
import test from 'node:test';
import type { JobView } from '../../view/job-view.ts';
import { progressLine, progressSentence, type RunFigures } from './progress-line.ts';

const view: JobView = {
  phase: 'running',
  totalSamples: 4000,
  finishedSamples: 1000,
  quarantinedSamples: 0,
  leasedSamples: 128,
  fraction: 0.25,
  rates: { samplesPerSecond: 500, rowsPerSecond: 500, bytesPerSecond: 1e6 },
  etaMs: 6000,
  health: { state: 'healthy', reason: '', action: '' },
  nodes: [],
  leases: [],
} as unknown as JobView;

const figures: RunFigures = {
  name: 'tokenize',
  view,
  rssBytes: 512 * 1024 ** 2,
  rssCapBytes: 1024 ** 3,
};

test('the line shows how far, how fast, how long still and how much memory', () => {
  assert.equal(
    progressLine(figures, 120),
    'tokenize  ━━━━━━━───────────────────────  25.0%  1,000/4,000  500/s  6.0 s left  512 MiB of 1.00 GiB  0 nodes',
  );
  assert.equal(
    progressSentence(figures),
    'tokenize: 25.0%, 1,000/4,000, 500/s, 6.0 s left, 512 MiB of 1.00 GiB, 0 nodes',
  );
});

test('a line never passes the width of the terminal', () => {
  for (let columns = 10; columns <= 200; columns += 1) {
    const line = progressLine(figures, columns);
    assert(line.length < columns, `${line.length} of ${columns}: ${line}`);
  }
  assert.equal(progressLine(figures, 30), '25.0%  1,000/4,000  500/s');
});

test('a finished run shows a full bar and no time left', () => {
  const done = { ...figures, view: { ...view, fraction: 1, finishedSamples: 4000 } };
  const line = progressLine(done, 120);
  assert(line.includes('100%') && !line.includes('─') && !line.includes('left'));
});
