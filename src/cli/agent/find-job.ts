/** Which job an agent without --job-id works on: the one that its coordinator runs. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobId } from '../../core/base/units.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import type { CoordinatorClient } from '../../ports/coordinator-client.ts';
import { onlyJob } from '../../view/only-job.ts';
import type { CommandIo } from '../command-io.ts';

/** Between two questions to a coordinator that is not there yet, or has no job yet. */
const ASK_INTERVAL_MS = 1000;

/** Waits for coordinator and job until the command is stopped; refuses to choose among several. */
export async function findJob(
  client: Pick<CoordinatorClient, 'listJobs'>,
  io: Pick<CommandIo, 'clock' | 'events' | 'signal'>,
  coordUrl: string,
): Promise<JobId> {
  for (let waited = false; ; waited = true) {
    const job = onlyJob(await reachableJobs(client, io, coordUrl));
    if (job !== null) return job;
    if (!waited) io.events.emit('info', 'job_wait', { reason: 'the coordinator has no job yet' });
    await io.clock.sleep(ASK_INTERVAL_MS, io.signal);
  }
}

async function reachableJobs(
  client: Pick<CoordinatorClient, 'listJobs'>,
  io: Pick<CommandIo, 'clock' | 'events' | 'signal'>,
  coordUrl: string,
): Promise<readonly JobSnapshot[]> {
  io.events.emit('info', 'coordinator_ask', {
    coord_url: coordUrl,
    question: 'which job it runs',
  });
  for (;;) {
    try {
      return await orAborted(client.listJobs(), io.signal);
    } catch (error) {
      if (!(error instanceof Mx8Error && error.retryable)) throw error;
      io.events.emit('warn', 'coordinator_wait', { code: error.code, message: error.message });
    }
    await io.clock.sleep(ASK_INTERVAL_MS, io.signal);
  }
}

/** The answer, or the reason of the signal when it aborts first: a call may wait long for a coordinator. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([answer, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    answer.catch(() => undefined);
  }
}
