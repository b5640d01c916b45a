/** How the memory that a run may use is divided between its processes. Pure. */
import { Mx8Error } from '../../core/base/errors.ts';
import { WORKER_RSS_BYTES_USUAL_MIN } from '../../core/memory/limits.ts';
import { type RssCapSource, sourceText } from '../../core/memory/rss-cap.ts';
import { bytesText, countedText } from '../../view/format.ts';
import { checkWorkerCap } from '../agent/agent-memory.ts';

const MIB = 1024 ** 2;

/**
 * What the supervising process (coordinator, progress) is given. Measured: 85 to 130 MiB with a
 * million ranges; the rest is room for the log's batches.
 */
export const SUPERVISOR_BYTES: number = 192 * MIB;

/** What each agent is given: it holds leases and forwards messages, no samples. Measured: 75 to 95 MiB. */
export const AGENT_BYTES: number = 128 * MIB;

/** Below this a worker cannot load Node, a job module and one batch. */
export const WORKER_BYTES_MIN: number = WORKER_RSS_BYTES_USUAL_MIN;

/** Bytes of samples in flight where nothing is said: enough to hide the latency of local disks. */
export const INFLIGHT_BYTES_DEFAULT: number = 64 * MIB;

export interface MemoryPlanOptions {
  /** For all processes of the run together. */
  readonly totalBytes: number;
  /** What the total is derived from where nobody typed it; null: it was typed, as --ram-gb. */
  readonly derivedFrom: RssCapSource | null;
  readonly nodes: number;
  readonly workersPerNode: number;
  /** As given; null to derive it. */
  readonly maxInflightBytes: number | null;
  /** As given for each worker process; null: its share of the total. */
  readonly maxProcessRssBytes: number | null;
}

export interface MemoryPlan {
  readonly totalBytes: number;
  readonly agentBytes: number;
  /** The cap of each worker process. */
  readonly workerBytes: number;
  /** Bytes of samples that each worker's pipeline holds at most. */
  readonly maxInflightBytes: number;
}

/** Worker processes of each node where nobody said: the node's share of the cores, as far as memory goes. */
export function defaultWorkers(
  options: Pick<MemoryPlanOptions, 'totalBytes' | 'nodes'>,
  cores: number,
): number {
  const { totalBytes, nodes } = options;
  const free = totalBytes - SUPERVISOR_BYTES - nodes * AGENT_BYTES;
  const fitting = Math.floor(free / (nodes * WORKER_BYTES_MIN));
  return Math.max(1, Math.min(Math.floor(cores / nodes), fitting));
}

/** Refuses with `caps_conflict` when the processes cannot fit. */
export function planMemory(options: MemoryPlanOptions): MemoryPlan {
  const { totalBytes, nodes, workersPerNode } = options;
  const workers = nodes * workersPerNode;
  const overhead = SUPERVISOR_BYTES + nodes * AGENT_BYTES;
  const shareBytes = Math.floor((totalBytes - overhead) / workers);
  if (shareBytes < WORKER_BYTES_MIN) {
    throw tooLittle(options, overhead + workers * WORKER_BYTES_MIN);
  }
  checkWorkerCap(options.maxProcessRssBytes);
  const workerBytes = Math.min(shareBytes, options.maxProcessRssBytes ?? Infinity);
  checkInflight(options, workerBytes, workerBytes < shareBytes);
  const given = options.maxInflightBytes;
  return {
    totalBytes,
    agentBytes: AGENT_BYTES,
    workerBytes,
    maxInflightBytes: given ?? Math.min(INFLIGHT_BYTES_DEFAULT, Math.floor(workerBytes / 4)),
  };
}

/** In the words of what was typed, or of what mx8 derived it from. */
function tooLittle(options: MemoryPlanOptions, neededBytes: number): Mx8Error {
  const { totalBytes, derivedFrom, nodes, workersPerNode } = options;
  const needed = (Math.ceil((neededBytes / 1024 ** 3) * 100) / 100).toFixed(2);
  const who = `${countedText(nodes, 'node')} with ${countedText(workersPerNode, 'worker')} each`;
  const has =
    derivedFrom === null
      ? `--ram-gb ${(totalBytes / 1024 ** 3).toFixed(2)} is`
      : `The memory of ${sourceText(derivedFrom)}, of which mx8 takes ${bytesText(totalBytes)}, is`;
  const more = derivedFrom === null ? 'raise --ram-gb' : 'give it more memory';
  const fewer = nodes * workersPerNode > 1 ? ' or lower --nodes or --workers' : '';
  return new Mx8Error(
    'caps_conflict',
    `${has} too little for ${who}: they need at least ${needed} GiB; ${more}${fewer}`,
    { ram_bytes: totalBytes, nodes, workers: nodes * workersPerNode },
  );
}

function checkInflight(options: MemoryPlanOptions, workerBytes: number, isCapTyped: boolean): void {
  const { maxInflightBytes: given, totalBytes } = options;
  if (given === null || given <= Math.floor(workerBytes / 2)) return;
  const [what, flag] = isCapTyped
    ? [`of --max-process-rss-bytes ${workerBytes}`, '--max-process-rss-bytes']
    : [
        `of a worker's share of the memory (${workerBytes} bytes of --ram-gb ${(totalBytes / 1024 ** 3).toFixed(2)})`,
        '--ram-gb',
      ];
  throw new Mx8Error(
    'caps_conflict',
    `--max-inflight-bytes ${given} is more than half ${what}; lower it or raise ${flag}`,
    { max_inflight_bytes: given, worker_bytes: workerBytes },
  );
}
