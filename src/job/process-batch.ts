/**
 * One batch through the user's process() into the staged part, and what becomes of samples that fail.
 *
 * A failing batch is tried once more as it is, as many failures are of the moment. Then it is halved
 * until the failing samples are alone; each is tried `retries` times more, with pauses. What still fails
 * either fails the job, with the sample's id, location and the error's own words, or is set aside with
 * them. The samples around it go on either way; none is dropped without a word.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { redactText } from '../core/base/redact.ts';
import type { LeaseId, NodeId } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { JobBatch } from './batch.ts';
import type { JobContext, JobDefinition } from './define-job.ts';
import { errorText } from './error-text.ts';
import { RETRY_WAIT_BASE_MS, RETRY_WAIT_MAX_MS } from './limits.ts';
import type { StagedPart } from './staged-part.ts';

export type OnError = 'fail' | 'quarantine';

export interface ProcessSetting {
  readonly job: JobDefinition;
  /** Absolute path of the job module, to point into it. */
  readonly modulePath: string;
  readonly onError: OnError;
  readonly nodeId: NodeId;
  readonly leaseId: LeaseId;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** Ends when every sample of the batch is staged or set aside; throws when the job cannot go on. */
export async function processBatch(
  setting: ProcessSetting,
  batch: JobBatch,
  part: StagedPart,
): Promise<void> {
  const error = await tryOnce(setting, batch, part, 0);
  if (error === null) return;
  if (batch.length === 1) return tryAlone(setting, batch, part, error);
  note(setting, batch, error, 'batch_failed');
  if ((await tryOnce(setting, batch, part, 1)) === null) return;
  await halve(setting, batch, part);
}

async function halve(setting: ProcessSetting, batch: JobBatch, part: StagedPart): Promise<void> {
  const middle = Math.ceil(batch.length / 2);
  for (const half of [batch.slice(0, middle), batch.slice(middle, batch.length)]) {
    const error = await tryOnce(setting, half, part, 2);
    if (error === null) continue;
    if (half.length === 1) await tryAlone(setting, half, part, error);
    else await halve(setting, half, part);
  }
}

/** A sample that has failed once alone: its retries, then the policy. */
async function tryAlone(
  setting: ProcessSetting,
  batch: JobBatch,
  part: StagedPart,
  firstError: Failure,
): Promise<void> {
  let error = firstError;
  for (let retry = 0; retry < setting.job.retries; retry += 1) {
    note(setting, batch, error, 'sample_failed');
    const waitMs = Math.min(RETRY_WAIT_MAX_MS, RETRY_WAIT_BASE_MS * 2 ** retry);
    await setting.clock.sleep(waitMs, setting.signal);
    const again = await tryOnce(setting, batch, part, retry + 1);
    if (again === null) return;
    error = again;
  }
  convict(setting, batch, part, error);
}

const NOT_THE_SAMPLES: ReadonlySet<string> = new Set([
  'output_write_failed',
  'object_store_unavailable',
]);

/** What the user's code, or the sink with its rows, threw. */
interface Failure {
  readonly thrown: unknown;
}

async function tryOnce(
  setting: ProcessSetting,
  batch: JobBatch,
  part: StagedPart,
  attempt: number,
): Promise<Failure | null> {
  setting.signal.throwIfAborted();
  try {
    const rows: unknown = await setting.job.process(batch, contextOf(setting, attempt));
    setting.signal.throwIfAborted();
    await part.write(asRows(rows), batch);
    return null;
  } catch (error) {
    // A stop is no failure of the sample, and neither is a full disk or a store that does not answer.
    if (setting.signal.aborted) throw error;
    if (error instanceof Mx8Error && NOT_THE_SAMPLES.has(error.code)) throw error;
    return { thrown: error };
  }
}

function asRows(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const iterable = typeof value === 'object' && value !== null && Symbol.iterator in value;
  if (iterable) return [...(value as Iterable<unknown>)];
  const got = isAsyncIterable(value)
    ? 'an async iterator: collect its rows first, await Array.fromAsync(…)'
    : value === null
      ? 'null'
      : typeof value;
  throw new Mx8Error('row_invalid', `process() returns an array of rows, got ${got}`, { got });
}

function isAsyncIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function contextOf(setting: ProcessSetting, attempt: number): JobContext {
  const { signal, nodeId, leaseId, events } = setting;
  return {
    signal,
    nodeId,
    leaseId,
    attempt,
    log: (event, fields = {}) => events.emit('info', event, { ...fields, lease_id: leaseId }),
  };
}

function note(setting: ProcessSetting, batch: JobBatch, error: Failure, event: string): void {
  setting.events.emit('warn', event, {
    lease_id: setting.leaseId,
    first_sample_id: batch.sampleIds[0] ?? null,
    samples: batch.length,
    message: errorText(error.thrown, setting.modulePath),
  });
}

function convict(
  setting: ProcessSetting,
  batch: JobBatch,
  part: StagedPart,
  { thrown }: Failure,
): void {
  const { id, location } = batch.at(0);
  const tries = setting.job.retries + 1;
  // They end up in files of the output.
  const words = redactText(
    thrown instanceof Mx8Error ? thrown.message : errorText(thrown, setting.modulePath),
  );
  const code = thrown instanceof Mx8Error ? thrown.code : 'process_failed';
  const often = tries === 1 ? '' : ` (tried ${tries} times)`;
  const message = `sample ${id} (${location}) failed${often}: ${words}`;
  const fields = { sample_id: id, location, code, message: words };
  if (setting.onError === 'fail') throw new Mx8Error(code, message, fields, thrown);
  setting.events.emit('error', 'sample_set_aside', fields);
  part.quarantine({ sampleId: id, location, code, message: words });
}
