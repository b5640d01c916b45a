/**
 * States of runs whose outputs are in stores (`run-state.ts`), in a folder of this machine for all of them. What a
 * finished run left is of no use but to say once more that it is finished. What an interrupted one left is the only
 * thing that says what is committed: it goes when somebody says so, and never by itself.
 */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Mx8Error } from '../../core/base/errors.ts';
import { DAY_MS, staleOf } from '../../core/base/retention.ts';
import type { Kept, Retention } from '../../core/base/retention.ts';
import { StateLock } from '../../log/state-lock.ts';
import type { CommandIo } from '../command-io.ts';
import { RUNS_CAP_BYTES, RUNS_KEEP_DAYS } from './limits.ts';
import { FINISHED_MARK, RUN_MARK, runsFolder } from './run-state.ts';
import type { RunStatePlace } from './run-state.ts';

/** No id of a job begins like that. */
const REMOVING = '~removing-';
const LOCK = 'run.lock';
const FOR_GOOD = { recursive: true, force: true, maxRetries: 3 } as const;

export interface KeptRun extends Kept {
  readonly jobId: string;
  readonly folder: string;
  /** Null where the mark does not say. */
  readonly out: string | null;
  readonly isFinished: boolean;
}

export interface TidiedRuns {
  readonly removed: readonly KeptRun[];
  readonly kept: readonly KeptRun[];
}

export interface TidyRuns {
  readonly keepDays: number;
  /** Those that are not finished go as well when nobody worked on them for so long. */
  readonly unfinishedToo: boolean;
  readonly nowUnixMs: number;
  readonly isDryRun: boolean;
}

/** Below `root`; folders that are no states of runs are left alone. */
export async function tidyRuns(root: string, how: TidyRuns): Promise<TidiedRuns> {
  const retention = {
    restMs: DAY_MS,
    keepMs: how.keepDays * DAY_MS,
    capBytes: RUNS_CAP_BYTES,
  };
  const all = await keptRuns(root);
  if (!how.isDryRun) await removeRests(root);
  const removed: KeptRun[] = [];
  for (const run of staleRuns(all, retention, how)) {
    if (isWorkedOn(run) || !(how.isDryRun || (await remove(root, run)))) continue;
    removed.push(run);
  }
  return { removed, kept: all.filter((run) => !removed.includes(run)) };
}

/** Before another one begins. What cannot be removed stays, and is told of. */
export async function tidyBefore(
  { runState }: Pick<RunStatePlace, 'runState'>,
  { clock, events }: Pick<CommandIo, 'clock' | 'events'>,
): Promise<void> {
  const path = runsFolder(runState);
  const how = { keepDays: RUNS_KEEP_DAYS, unfinishedToo: false, isDryRun: false };
  try {
    const { removed } = await tidyRuns(path, { ...how, nowUnixMs: clock.unixMs() });
    if (removed.length === 0) return;
    const bytes = removed.reduce((sum, run) => sum + run.bytes, 0);
    events.emit('info', 'finished_runs_removed', { path, runs: removed.length, bytes });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    events.emit('warn', 'finished_runs_not_removed', { path, reason });
  }
}

function staleRuns(
  all: readonly KeptRun[],
  retention: Retention,
  { unfinishedToo, nowUnixMs }: TidyRuns,
): readonly KeptRun[] {
  const finished = staleOf(
    all.filter((run) => run.isFinished),
    retention,
    nowUnixMs,
  );
  if (!unfinishedToo) return finished;
  // By age alone: one that was interrupted lately is not given up for its size.
  const unlimited = { ...retention, capBytes: Infinity };
  const given = staleOf(
    all.filter((run) => !run.isFinished),
    unlimited,
    nowUnixMs,
  );
  return [...finished, ...given];
}

async function keptRuns(root: string): Promise<readonly KeptRun[]> {
  const runs: KeptRun[] = [];
  for (const jobId of await namesIn(root)) {
    const folder = join(root, jobId);
    const names = await namesIn(folder);
    if (jobId.startsWith(REMOVING) || !names.includes(RUN_MARK)) continue;
    const isFinished = names.includes(FINISHED_MARK);
    runs.push({ jobId, folder, out: await outOf(folder), isFinished, ...(await look(folder)) });
  }
  return runs.toSorted((a, b) => a.usedUnixMs - b.usedUnixMs);
}

async function look(folder: string): Promise<Kept> {
  let [bytes, usedUnixMs] = [0, 0];
  for (const name of await namesIn(folder)) {
    const stats = await lstat(join(folder, name)).catch(goneOrThrow);
    if (stats === null) continue;
    const { size, mtimeMs } = stats;
    bytes += size;
    // To look whether it is used is no use.
    if (!name.startsWith(LOCK)) usedUnixMs = Math.max(usedUnixMs, mtimeMs);
  }
  return { bytes, usedUnixMs };
}

export function isWorkedOn({ folder }: KeptRun): boolean {
  const lock = takeLock(folder);
  if (lock !== null && lock !== 'nobody') lock[Symbol.dispose]();
  return lock === null;
}

/**
 * Out of the way in one step while nobody can begin to work on it, and then for good: who is killed between leaves what
 * is removed next time. False where somebody works on it after all.
 */
async function remove(root: string, { folder, jobId, usedUnixMs }: KeptRun): Promise<boolean> {
  const lock = takeLock(folder);
  if (lock === null) return false;
  const removing = join(root, `${REMOVING}${jobId}`);
  try {
    // Somebody may have gone on with it since it was looked at.
    if ((await look(folder)).usedUnixMs !== usedUnixMs) return false;
    await rm(removing, FOR_GOOD);
    await rename(folder, removing);
  } finally {
    if (lock !== 'nobody') lock[Symbol.dispose]();
  }
  await rm(removing, FOR_GOOD);
  return true;
}

/** Null: somebody works on it. A run that was never begun has no lock that anybody could hold. */
function takeLock(folder: string): StateLock | 'nobody' | null {
  const path = join(folder, LOCK);
  if (!existsSync(path)) return 'nobody';
  try {
    return StateLock.take(path, folder);
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'coordinator_state_in_use') return null;
    throw error;
  }
}

async function removeRests(root: string): Promise<void> {
  for (const name of await namesIn(root)) {
    if (!name.startsWith(REMOVING)) continue;
    await rm(join(root, name), FOR_GOOD);
  }
}

async function outOf(folder: string): Promise<string | null> {
  try {
    const mark: unknown = JSON.parse(await readFile(join(folder, RUN_MARK), 'utf8'));
    const out = typeof mark === 'object' && mark !== null && 'out' in mark ? mark.out : null;
    return typeof out === 'string' ? out : null;
  } catch {
    // A run that was killed while it wrote the mark: what it would have written to nobody knows.
    return null;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    goneOrThrow(error);
    return [];
  }
}

/** Another process may be tidying up, too. */
function goneOrThrow(error: unknown): null {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return null;
  throw error;
}
