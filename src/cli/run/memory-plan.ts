/** How the memory that a run may use is divided between its processes. Pure. */
import { Mx8Error } from '../../core/base/errors.ts';

const MIB = 1024 ** 2;

/**
 * What the supervising process (coordinator, progress) is given. Measured: 85 to 130 MiB with a
 * million ranges; the rest is room for the log's batches.
 */
export const SUPERVISOR_BYTES: number = 192 * MIB;

/** What each agent is given: it holds leases and forwards messages, no samples. Measured: 75 to 95 MiB. */
export const AGENT_BYTES: number = 128 * MIB;

/** Below this a worker cannot load Node, a job module and one batch. */
export const WORKER_BYTES_MIN: number = 160 * MIB;

/** Bytes of samples in flight where nothing is said: enough to hide the latency of local disks. */
export const INFLIGHT_BYTES_DEFAULT: number = 64 * MIB;

export interface MemoryPlanOptions {
  /** For all processes of the run together. */
  readonly totalBytes: number;
  readonly nodes: number;
  readonly workersPerNode: number;
  /** As given; null to derive it. */
  readonly maxInflightBytes: number | null;
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
  const workerBytes = Math.floor((totalBytes - overhead) / workers);
  if (workerBytes < WORKER_BYTES_MIN) {
    const neededGb = (overhead + workers * WORKER_BYTES_MIN) / 1024 ** 3;
    throw new Mx8Error(
      'caps_conflict',
      `--ram-gb ${(totalBytes / 1024 ** 3).toFixed(2)} is too little for ${nodes} nodes with ${workersPerNode} workers each: they need at least ${(Math.ceil(neededGb * 100) / 100).toFixed(2)}; raise --ram-gb or lower --nodes or --workers`,
      { ram_bytes: totalBytes, nodes, workers },
    );
  }
  const inflightMax = Math.floor(workerBytes / 2);
  const given = options.maxInflightBytes;
  if (given !== null && given > inflightMax) {
    throw new Mx8Error(
      'caps_conflict',
      `--max-inflight-bytes ${given} is more than half of a worker's share of the memory (${workerBytes} bytes of --ram-gb ${(totalBytes / 1024 ** 3).toFixed(2)}); lower it or raise --ram-gb`,
      { max_inflight_bytes: given, worker_bytes: workerBytes },
    );
  }
  return {
    totalBytes,
    agentBytes: AGENT_BYTES,
    workerBytes,
    maxInflightBytes: given ?? Math.min(INFLIGHT_BYTES_DEFAULT, Math.floor(workerBytes / 4)),
  };
}
