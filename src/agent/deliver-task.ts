/**
 * Delivery without a job: every sample is read, the consumer takes its time, and the report of the
 * cursor is the commit. What v0 agents do.
 */
import { appendFile } from 'node:fs/promises';
import { writing } from '../storage/output-error.ts';
import type { SampleBatch } from '../pipeline/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeliverySettings } from './worker-messages.ts';
import type { WorkerTask } from './worker-task.ts';

export function deliverTask(settings: DeliverySettings, clock: Clock): WorkerTask {
  return {
    batchSize: settings.batchSize,
    sinkKind: null,
    input: null,
    begin: (_order, signal) => ({
      take: (batch) => deliver(batch, settings, clock, signal),
      leavesOut: () => false,
      onSampleError: () => 'fail',
      isDue: false,
      stage: () => Promise.resolve(null),
      abort: () => Promise.resolve(),
    }),
  };
}

async function deliver(
  batch: SampleBatch,
  settings: DeliverySettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (settings.sinkSleepMs > 0) await clock.sleep(settings.sinkSleepMs, signal);
  const { logPath } = settings;
  const first = batch.sampleIds[0];
  const last = batch.sampleIds.at(-1);
  if (logPath === null || first === undefined || last === undefined) return;
  // One write of one line: appends of several processes do not mix.
  const line = `${first} ${last + 1}\n`;
  await writing('append to', logPath, () => appendFile(logPath, line));
}
