import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { DAY_MS } from '../../core/base/retention.ts';
import { jobId } from '../../core/base/units.ts';
import { StateLock } from '../../log/state-lock.ts';
import { FakeClock, RecordingEvents } from '../../testing/index.ts';
import { beginRunState, checkStillThere, markFinished } from './run-state.ts';
import { tidyBefore, tidyRuns } from './tidy-runs.ts';

const NOW = 1_800_000_000_000;
const HOW = { keepDays: 30, unfinishedToo: false, nowUnixMs: NOW, isDryRun: false };
const OUT = 's3://bucket/out';

async function age(folder: string, days: number): Promise<void> {
  const seconds = (NOW - days * DAY_MS) / 1000;
  for (const name of await readdir(folder)) await utimes(join(folder, name), seconds, seconds);
}

async function putRun(
  root: string,
  name: string,
  { days, isFinished }: { readonly days: number; readonly isFinished: boolean },
): Promise<string> {
  const folder = join(root, name);
  await beginRunState({ out: OUT, runState: root }, jobId(name));
  StateLock.take(join(folder, 'run.lock'), folder)[Symbol.dispose]();
  await writeFile(join(folder, 'coordinator.sqlite'), 'of the job');
  if (isFinished) await markFinished(OUT, folder);
  await age(folder, days);
  return folder;
}

function names(runs: readonly { readonly jobId: string }[]): string[] {
  return runs.map((run) => run.jobId).toSorted();
}

test('states of finished runs go after a month, and of interrupted ones only when somebody says so', async () => {
  await using root = await temporaryFolder();
  await putRun(root.path, 'finished', { days: 31, isFinished: true });
  await putRun(root.path, 'lately', { days: 29, isFinished: true });
  await putRun(root.path, 'interrupted', { days: 400, isFinished: false });
  await putRun(root.path, 'interrupted-lately', { days: 2, isFinished: false });
  const dry = await tidyRuns(root.path, { ...HOW, isDryRun: true });
  assert.deepEqual(names(dry.removed), ['finished']);
  assert.equal((await readdir(root.path)).length, 4);
  const { removed, kept } = await tidyRuns(root.path, HOW);
  assert.deepEqual(names(removed), ['finished']);
  assert.equal(removed[0]?.out, OUT);
  assert.deepEqual(names(kept), ['interrupted', 'interrupted-lately', 'lately']);
  const given = await tidyRuns(root.path, { ...HOW, unfinishedToo: true });
  assert.deepEqual(names(given.removed), ['interrupted']);
  assert.deepEqual((await readdir(root.path)).toSorted(), ['interrupted-lately', 'lately']);
});

test('what a process works on stays, and so does what one went on with since it was looked at', async () => {
  await using root = await temporaryFolder();
  const folder = await putRun(root.path, 'held', { days: 90, isFinished: true });
  const lock = StateLock.take(join(folder, 'run.lock'), folder);
  await age(folder, 90);
  const all = { ...HOW, unfinishedToo: true };
  assert.deepEqual(names((await tidyRuns(root.path, all)).kept), ['held']);
  lock[Symbol.dispose]();
  await age(folder, 90);
  assert.deepEqual(names((await tidyRuns(root.path, all)).removed), ['held']);
  assert.throws(() => checkStillThere(OUT, folder), {
    code: 'output_nothing_to_resume',
    message: /was removed from \S+held just now/,
  });
  checkStillThere('/local/out', folder);
});

test('what a killed tidying left of a run is removed by the next, and what is no run is left alone', async () => {
  await using root = await temporaryFolder();
  for (const path of ['~removing-old', 'mine/deeper', 'empty']) {
    await mkdir(root.join(path), { recursive: true });
  }
  await writeFile(root.join('~removing-old', 'coordinator.sqlite'), 'half');
  await writeFile(root.join('mine', 'notes'), 'of somebody');
  await writeFile(root.join('file'), 'of somebody');
  await putRun(root.path, 'killed', { days: 40, isFinished: true });
  const { removed, kept } = await tidyRuns(root.path, HOW);
  assert.deepEqual([names(removed), names(kept)], [['killed'], []]);
  assert.deepEqual((await readdir(root.path)).toSorted(), ['empty', 'file', 'mine']);
  assert.ok(existsSync(root.join('mine', 'notes')));
  assert.deepEqual((await tidyRuns(root.join('nowhere'), HOW)).kept, []);
});

test('before a run begins finished ones are tidied up and told of, and a folder that cannot be is told of', async () => {
  await using root = await temporaryFolder();
  const [clock, events] = [new FakeClock(0, NOW), new RecordingEvents()];
  await putRun(root.path, 'finished', { days: 31, isFinished: true });
  await putRun(root.path, 'interrupted', { days: 31, isFinished: false });
  await tidyBefore({ runState: root.path }, { clock, events });
  assert.deepEqual(await readdir(root.path), ['interrupted']);
  assert.equal(events.of('finished_runs_removed')[0]?.['runs'], 1);
  await tidyBefore({ runState: `${root.path}\0` }, { clock, events });
  assert.equal(events.of('finished_runs_not_removed').length, 1);
});
