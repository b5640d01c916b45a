import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  jobSnapshot,
  liveLease,
  modelOf,
  nodeView,
  record,
  watchedAfter,
} from '../../test/support/tui-models.ts';
import { frameOf } from './frame.ts';
import { Painter } from './paint.ts';
import { lineWidth, plainText } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { TABS } from './ui-state.ts';

const SIZES = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 40, rows: 10 },
  { columns: 200, rows: 60 },
  { columns: 30, rows: 8 },
  { columns: 12, rows: 3 },
];
const SIZE = { columns: 80, rows: 24 };

function screen(model: TuiModel, size = SIZE): string {
  return frameOf(model, size).lines.map(plainText).join('\n');
}

function withManifest(model: TuiModel, rows: number): TuiModel {
  const manifest: TuiModel['manifest'] = {
    ...model.manifest,
    state: 'ready',
    origin: 'the coordinator',
    hash: 'ab'.repeat(32),
    sampleCount: 10_000_000,
    rows: Array.from({ length: rows }, (_, index) => record(index)),
  };
  return { ...model, manifest };
}

test('every frame fills the terminal exactly, whatever its size and what is known', () => {
  const stories = [
    watchedAfter(),
    watchedAfter(null),
    watchedAfter(jobSnapshot(0)),
    watchedAfter(jobSnapshot(2), jobSnapshot(3)),
    watchedAfter(jobSnapshot(1000)),
    watchedAfter(jobSnapshot(2), null),
  ];
  for (const watched of stories) {
    for (const size of SIZES) {
      for (const tab of TABS) {
        for (const [hasDetail, hasHelp] of [
          [false, false],
          [true, false],
          [false, true],
        ] as const) {
          const plain = withManifest(modelOf(watched, tab), 20);
          const model = { ...plain, ui: { ...plain.ui, hasDetail, hasHelp } };
          const { lines } = frameOf(model, size);
          const where = `${tab} at ${size.columns}x${size.rows}`;
          assert.equal(lines.length, size.rows, where);
          for (const line of lines) assert.equal(lineWidth(line), size.columns, where);
        }
      }
    }
  }
});

test('the first screen says phase, health, progress, facts and every counter by its wire name', () => {
  const text = screen(modelOf(watchedAfter(jobSnapshot(2))));
  assert.match(text, /job embed {2}running {2}● healthy/);
  assert.match(text, /50\.0% {2}500,000 of 1,000,000 samples/);
  assert.match(
    text,
    /nodes 2\/2 {2}active_leases 2 {2}available_ranges 1,234 {2}drained no {2}ready yes/,
  );
  for (const counter of [
    'register_total 2',
    'heartbeat_total 20',
    'request_lease_total 30',
    'leases_granted_total 40',
    'leases_expired_total 1',
    'ranges_requeued_total 2',
    'progress_total 50',
    'resume_checkpoint_applied_total 0',
    'resume_checkpoint_rejected_total 0',
    'resume_ranges_applied_total 0',
  ]) {
    assert.ok(text.includes(counter), counter);
  }
});

test('a stale node is marked, makes the job degraded, and the reason and the remedy are shown', () => {
  const nodes = [nodeView(0), nodeView(1, { heartbeatAgeMs: 6200 })];
  const watched = watchedAfter(jobSnapshot(2, { nodes }));
  const text = screen(modelOf(watched, 'nodes'));
  assert.match(text, /▲ degraded/);
  assert.match(text, /Node node-1 has not been heard of for 6\.2 s\./);
  assert.match(text, /→ Its leases go to other nodes/);
  assert.match(text, /node-1 +1 +STALE 6,200/);
  assert.doesNotMatch(text, /node-0 +0 +STALE/);
});

test('a job that is held and a node that drains are marked', () => {
  const nodes = [nodeView(0), { ...nodeView(1), draining: true }];
  const watched = watchedAfter(jobSnapshot(2, { nodes, paused: true }));
  const text = screen(modelOf(watched, 'nodes'));
  assert.match(text, /job embed {2}running, paused {2}▲ degraded/);
  assert.match(text, /node-1 +1 +DRAIN \d+/);
  assert.doesNotMatch(text, /node-0 +0 +DRAIN/);
});

test('a job whose leases all stand still is stalled, and each such lease is marked', () => {
  const still = jobSnapshot(1);
  const watched = watchedAfter(...Array.from({ length: 12 }, () => still));
  const text = screen(modelOf(watched, 'leases'));
  assert.match(text, /■ stalled/);
  assert.match(text, /no lease has moved for 11 s/);
  assert.match(text, /1\.5\.0 +node-0 +\[0, 100\) +10 +STALLED 11 s/);
});

test('a coordinator that is away is shown with since when, over the last answer', () => {
  const text = screen(modelOf(watchedAfter(jobSnapshot(2), null)));
  assert.match(text, /■ no coordinator for 59 s/);
  assert.match(text, /nobody is there/);
  assert.match(text, /since 22:13:21Z; asked again every 1\.0 s\./);
  assert.match(text, /register_total 2/);
});

test('the detail of a node has its stats, caps and tuning under their wire names', () => {
  const plain = modelOf(watchedAfter(jobSnapshot(2)), 'nodes');
  const text = screen({ ...plain, ui: { ...plain.ui, hasDetail: true } });
  for (const fact of [
    'autotune_pressure_milli 250',
    'effective_want 2',
    'max_ram_bytes 4294967296',
  ]) {
    assert.ok(text.includes(fact), `${fact} in ${text}`);
  }
  assert.match(text, /512 MiB of 1\.00 GiB/);
  assert.match(text, /leases \[0, 100\) at 10/);
});

test('of a thousand nodes those in sight are drawn, and the selected one is among them', () => {
  const plain = modelOf(watchedAfter(jobSnapshot(1000)), 'nodes');
  const places = { ...plain.ui.places, nodes: { selected: 700, top: 690 } };
  const { lines } = frameOf({ ...plain, ui: { ...plain.ui, places } }, SIZE);
  const chosen = lines.find((line) =>
    line.some(({ style, text }) => style === 'inverse' && text.includes('node-700')),
  );
  assert.notEqual(chosen, undefined);
});

test('the manifest shows its rows and who works on them, or why it cannot and the way round', () => {
  const model = withManifest(
    modelOf(watchedAfter(jobSnapshot(1, { liveLeases: [liveLease(0, 3)] })), 'manifest'),
    14,
  );
  const text = screen(model);
  assert.match(text, /row 0 of 10,000,000 {2}manifest abababababababab… {2}from the coordinator/);
  assert.match(text, /2 {2}\/data\/class-2\/file-2\.jpg +whole file *\n/);
  assert.match(text, /3 {2}\/data\/class-3\/file-3\.jpg +whole file +node-0/);
  const failure =
    'not found [manifest_missing]; show a local copy meanwhile with --manifest-path FILE';
  const failed = { ...model, manifest: { ...model.manifest, state: 'failed', failure } } as const;
  assert.match(
    screen(failed),
    /cannot be shown\. *\n not found \[manifest_missing\].*with --manifest-path *\n FILE/,
  );
});

test('names from outside cannot move the cursor of the terminal', () => {
  const plain = withManifest(modelOf(watchedAfter(jobSnapshot(1)), 'manifest'), 1);
  const evil = { ...record(0), location: '/data/\u001b[2Jx\u202e' };
  const model = { ...plain, manifest: { ...plain.manifest, rows: [evil] } };
  const painted = new Painter(false).update(frameOf(model, SIZE));
  assert.equal(painted.split('\u001b[2J').length, 2, 'only our own clearing of the screen');
  assert.equal(painted.includes('\u202e'), false);
});

test('colour codes are written only where colours are wanted', () => {
  const frame = frameOf(modelOf(watchedAfter(null)), SIZE);
  // oxlint-disable-next-line eslint/no-control-regex
  const colours = /\u001b\[(?:1;)?3\dm/;
  assert.match(new Painter(true).update(frame), colours);
  assert.doesNotMatch(new Painter(false).update(frame), colours);
});

test('an unchanged frame writes nothing, a changed row only that row', () => {
  const painter = new Painter(false);
  const before = modelOf(watchedAfter(jobSnapshot(2)));
  painter.update(frameOf(before, SIZE));
  assert.equal(painter.update(frameOf(before, SIZE)), '');
  const after = { ...before, ui: { ...before.ui, message: 'hello' } };
  const written = painter.update(frameOf(after, SIZE));
  assert.ok(written.includes('\u001b[24;1H'));
  assert.equal(written.includes('\u001b[1;1H'), false);
});
