/** The memory of an agent's workers. Pure. */
import { Mx8Error } from '../../core/base/errors.ts';
import { effectiveRssCap } from '../../core/memory/rss-cap.ts';
import type { MemoryReadings, RssCap } from '../../core/memory/rss-cap.ts';

/** Bytes of samples in flight where nothing is said: enough to hide the latency of local disks. */
const INFLIGHT_BYTES_DEFAULT = 64 * 1024 ** 2;

export interface AgentMemory {
  /** Of each worker process. */
  readonly cap: RssCap;
  /** Of each worker's pipeline. */
  readonly inflightBytes: number;
}

export function planAgentMemory(
  options: {
    readonly maxProcessRssBytes: number | null;
    readonly maxInflightBytes: number | null;
    readonly workers: number;
  },
  readings: MemoryReadings,
): AgentMemory {
  const { maxProcessRssBytes, maxInflightBytes, workers } = options;
  const cap = effectiveRssCap(
    { maxRamBytes: null, maxProcessRssBytes, processes: workers },
    readings,
  );
  if (maxInflightBytes !== null && maxInflightBytes >= cap.capBytes) {
    throw new Mx8Error(
      'caps_conflict',
      `--max-inflight-bytes ${maxInflightBytes} does not fit below the ${cap.capBytes} bytes that a worker process may have (${cap.source}); lower it or raise --max-process-rss-bytes`,
      { max_inflight_bytes: maxInflightBytes, max_process_rss_bytes: cap.capBytes },
    );
  }
  const share = Math.max(1, Math.floor(cap.capBytes / 4));
  return { cap, inflightBytes: maxInflightBytes ?? Math.min(INFLIGHT_BYTES_DEFAULT, share) };
}
