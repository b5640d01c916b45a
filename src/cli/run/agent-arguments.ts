/** The command line of each agent that a run starts. Pure. */
import { storeArguments } from '../stores.ts';
import type { RunOptions } from './run-options.ts';
import type { PreparedRun } from './prepare.ts';

export function agentArguments(
  prepared: PreparedRun,
  options: RunOptions,
  coordUrl: string,
): (nodeId: string) => readonly string[] {
  const { memory } = prepared;
  const shared: readonly (readonly [string, string | number])[] = [
    ['coord-url', coordUrl],
    ['job-id', prepared.spec.jobId],
    ['out', prepared.out],
    ['workers', prepared.workersPerNode],
    // One more than are worked on, so that no worker waits for its next lease.
    ['lease-want', prepared.workersPerNode + 1],
    ['max-inflight-bytes', memory.maxInflightBytes],
    ['max-process-rss-bytes', memory.workerBytes],
    ['prefetch-batches', options.prefetchBatches],
    ['max-queue-batches', options.maxQueueBatches],
    ['on-error', options.onError],
    ['progress-interval-ms', options.progressIntervalMs],
    ['stall-budget-ms', options.stallBudgetMs],
  ];
  const flags = shared.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const all = [...flags, ...storeArguments(options)];
  return (nodeId) => [prepared.jobFile, '--node-id', nodeId, ...all];
}
