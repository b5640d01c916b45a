/** Asks a coordinator how a job stands, once or again and again, and prints each answer. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { CoordinatorClient, CoordinatorView } from '../../ports/coordinator-client.ts';
import { EMPTY_HISTORY, lookAt } from '../../view/job-view.ts';
import type { ViewLimits } from '../../view/looks.ts';
import type { CommandIo } from '../command-io.ts';
import { coordinatorText } from './coordinator-text.ts';
import { onlyJob } from './only-job.ts';
import { statusJson, statusText } from './status-text.ts';

export interface WatchOptions {
  readonly client: Pick<CoordinatorClient, 'snapshot' | 'listJobs' | 'coordinator'>;
  /** Null: the one job that the coordinator runs. */
  readonly jobId: JobId | null;
  /** 0: until stopped. */
  readonly polls: number;
  readonly pollMs: number;
  readonly json: boolean;
  readonly limits: ViewLimits;
}

export async function watchStatus(options: WatchOptions, io: CommandIo): Promise<void> {
  const { client, polls, pollMs, json, limits } = options;
  const first = await client.coordinator();
  if (first.leader === null) throw noLeader(first);
  const jobId = options.jobId ?? onlyJob(await client.listJobs());
  let history = EMPTY_HISTORY;
  for (let asked = 1; ; asked += 1) {
    const snapshot = await client.snapshot(jobId);
    const look = lookAt(snapshot, io.clock.nowMs(), history, limits);
    history = look.history;
    const coordinator = asked === 1 ? first : await client.coordinator();
    if (json) io.stdout(statusJson(snapshot, look.view, coordinator));
    else
      io.stdout(coordinatorText(coordinator, io.clock.unixMs()) + statusText(snapshot, look.view));
    if (asked === polls) return;
    await io.clock.sleep(pollMs, io.signal);
  }
}

/** All that can be said then is who stands by. */
function noLeader(view: CoordinatorView): Mx8Error {
  if (view.storeError !== '') {
    return new Mx8Error(
      'store_unavailable',
      `the coordinator at ${view.address} runs, but the store of its state does not answer (${view.storeError}), so nobody leads; it goes on by itself, without a restart, once the store answers`,
    );
  }
  const addresses = view.candidates.map(({ address }) => address).join(', ');
  const standbys = addresses === '' ? view.address : addresses;
  return new Mx8Error(
    'not_leader',
    `no coordinator leads at this moment; standing by: ${standbys}. One of them takes over within a few seconds, or says in its log why it cannot`,
  );
}
