/**
 * Where a run keeps its coordinator's state: in its output folder, so that whoever has the one has the other. An
 * output in a store cannot hold it (SQLite needs a file system), so it lies in a folder of this machine then,
 * which is made before the output is claimed: a claim without it was made elsewhere.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { OutputState } from '../../job/index.ts';
import { openOutput } from '../../storage/output-stores.ts';
import { isRemote } from '../../storage/places.ts';
import { openStores, type StoreFlagOptions } from '../stores.ts';
import { makeFolders } from '../../storage/make-folders.ts';

/** There from the beginning of a run on, and from its end on. */
export const RUN_MARK = 'run.json';
export const FINISHED_MARK = 'finished.json';

export interface RunStatePlace {
  /** As `outputLocation` makes it. */
  readonly out: string;
  /** Null: below the home folder. */
  readonly runState: string | null;
}

export function runStateFolder({ out, runState }: RunStatePlace, jobId: JobId): string {
  return isRemote(out) ? join(runsFolder(runState), jobId) : join(out, '_mx8', 'state');
}

/** Of all runs whose outputs are in stores. */
export function runsFolder(runState: string | null): string {
  return runState ?? join(homedir(), '.mx8', 'runs');
}

/** Where the state of a new job is, as the claim of its output says it; null: in the output itself. */
export async function beginRunState(place: RunStatePlace, jobId: JobId): Promise<string | null> {
  if (!isRemote(place.out)) return null;
  const folder = runStateFolder(place, jobId);
  const mark = `${JSON.stringify({ job_id: jobId, out: place.out })}\n`;
  try {
    await makeFolders(folder);
    await writeFile(join(folder, RUN_MARK), mark);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `cannot keep the state of the run in ${folder}: ${why}; choose another folder with --run-state DIR`;
    throw new Mx8Error('flag_invalid', message, { flag: '--run-state', path: folder }, error);
  }
  return `${hostname()}:${folder}`;
}

/** Refuses to go on where the state is not: everything would be done again, into the same output. */
export function checkRunState(
  place: RunStatePlace,
  { claim, outputManifestHash }: Extract<OutputState, { readonly type: 'job' }>,
): void {
  const { jobId, state } = claim;
  const folder = runStateFolder(place, jobId);
  if (isThere(place.out, folder)) return;
  if (outputManifestHash !== null) {
    throw new Mx8Error(
      'output_nothing_to_resume',
      `output ${place.out} is the finished one of job ${jobId}, manifest ${outputManifestHash}: there is nothing to go on with, and the state of its run is not in ${folder} any more`,
      { path: place.out, job_id: jobId },
    );
  }
  const began = state === null ? 'mx8 run does not know where' : `in ${state}`;
  throw new Mx8Error(
    'output_nothing_to_resume',
    `output ${place.out} is of job ${jobId}, whose state was begun ${began}; it is not in ${folder} of this machine. Go on there, or copy that folder to here (--run-state names the one above it)`,
    { path: place.out, job_id: jobId },
  );
}

/** Once nobody else works on the folder: it may have been tidied away since it was found. */
export function checkStillThere(out: string, folder: string): void {
  if (isThere(out, folder)) return;
  throw new Mx8Error(
    'output_nothing_to_resume',
    `the state of the run was removed from ${folder} just now, as its job was finished or given up: there is nothing to go on with in ${out}`,
    { path: out },
  );
}

function isThere(out: string, folder: string): boolean {
  return !isRemote(out) || existsSync(join(folder, RUN_MARK));
}

/** What is there is of no use to anybody from now on. */
export async function markFinished(out: string, folder: string): Promise<void> {
  if (isRemote(out)) await writeFile(join(folder, FINISHED_MARK), `${JSON.stringify({ out })}\n`);
}

/** Uploads that an earlier run of the job began and did not end. Whoever could end them is gone. */
export async function abandonUnfinished(
  out: string,
  stores: StoreFlagOptions,
  surroundings: Parameters<typeof openStores>[1],
): Promise<void> {
  await using places = openStores(stores, surroundings);
  const uploads = await openOutput(out, places).abandonUnfinished();
  if (uploads === 0) return;
  surroundings.events.emit('info', 'unfinished_uploads_aborted', { path: out, uploads });
}
