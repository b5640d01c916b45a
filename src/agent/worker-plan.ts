/** What each worker process of an agent is told, and how large its heap may grow. */
import type { Tuning } from '../core/job/operations.ts';
import { HEAP_MIB_MIN, HEAP_PART_OF_RSS_CAP, SINK_SLEEP_MS_DEFAULT } from './limits.ts';
import type { CompiledAgentOptions } from './options.ts';
import type { WorkerSettings } from './worker-messages.ts';

/** The caps and knobs that hold now; an operator may have changed them. */
export type Effective = Readonly<Record<keyof Tuning, number>>;

export function workerSettings(
  options: CompiledAgentOptions,
  slot: number,
  instanceId: string,
  { maxInflightBytes, prefetchBatches, maxQueueBatches }: Effective,
): WorkerSettings {
  const { jobId, nodeId, workers, maxProcessRssBytes, stores } = options;
  return {
    jobId,
    nodeId,
    slot,
    nonce: instanceId,
    work: workOf(options),
    caps: {
      maxInflightBytes: Math.max(1, Math.floor(maxInflightBytes / workers)),
      prefetchBatches,
      maxQueueBatches,
    },
    maxProcessRssBytes,
    stores,
  };
}

function workOf({ work, onError, commitIntervalMs }: CompiledAgentOptions): WorkerSettings['work'] {
  if (work.type === 'job') {
    const { jobFile, out } = work;
    return { type: 'job', jobFile, out, onError, commitIntervalMs };
  }
  const { batchSize, sinkSleepMs = SINK_SLEEP_MS_DEFAULT, deliverLog = null } = work;
  return { type: 'deliver', delivery: { batchSize, sinkSleepMs, logPath: deliverLog } };
}

export function heapMiB({
  maxProcessRssBytes,
  caps,
  workers,
}: CompiledAgentOptions): number | null {
  if (maxProcessRssBytes === null) return null;
  const besideSlabs = maxProcessRssBytes - caps.maxInflightBytes / workers;
  return Math.max(HEAP_MIB_MIN, Math.floor((besideSlabs * HEAP_PART_OF_RSS_CAP) / 2 ** 20));
}
