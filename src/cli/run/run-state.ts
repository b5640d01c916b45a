/**
 * Where a run keeps its coordinator's state: in its output folder, so that whoever has the one has the other. An
 * output in a store cannot hold it (SQLite needs a file system), so it lies in a folder of this machine then,
 * which is made before the output is claimed: a claim without it was made elsewhere.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { OutputClaim } from '../../job/index.ts';
import { openOutput } from '../../storage/output-stores.ts';
import { isRemote } from '../../storage/places.ts';
import { openStores, type StoreFlagOptions } from '../stores.ts';

const MARK = 'run.json';

export interface RunStatePlace {
  /** As `outputLocation` makes it. */
  readonly out: string;
  /** Null: below the home folder. */
  readonly runState: string | null;
}

export function runStateFolder({ out, runState }: RunStatePlace, jobId: JobId): string {
  if (!isRemote(out)) return join(out, '_mx8', 'state');
  return join(runState ?? join(homedir(), '.mx8', 'runs'), jobId);
}

/** Where the state of a new job is, as the claim of its output says it; null: in the output itself. */
export async function beginRunState(place: RunStatePlace, jobId: JobId): Promise<string | null> {
  if (!isRemote(place.out)) return null;
  const folder = runStateFolder(place, jobId);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARK), `${JSON.stringify({ job_id: jobId, out: place.out })}\n`);
  return `${hostname()}:${folder}`;
}

/** Refuses to go on where the state is not: everything would be done again, into the same output. */
export function checkRunState(place: RunStatePlace, claim: OutputClaim): void {
  if (!isRemote(place.out)) return;
  const { jobId, state } = claim;
  const folder = runStateFolder(place, jobId);
  if (existsSync(join(folder, MARK))) return;
  const began = state === null ? 'mx8 run does not know where' : `in ${state}`;
  throw new Mx8Error(
    'output_nothing_to_resume',
    `output ${place.out} is of job ${jobId}, whose state was begun ${began}; it is not in ${folder} of this machine. Go on there, or copy that folder to here (--run-state names the one above it)`,
    { path: place.out, job_id: jobId },
  );
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
