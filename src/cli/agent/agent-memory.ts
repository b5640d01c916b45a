/** The memory of an agent's workers. Pure. */
import { Mx8Error } from '../../core/base/errors.ts';
import { effectiveRssCap } from '../../core/memory/rss-cap.ts';
import { WORKER_RSS_BYTES_MIN, WORKER_RSS_BYTES_USUAL_MIN } from '../../core/memory/limits.ts';
import type { MemoryReadings, RssCap } from '../../core/memory/rss-cap.ts';
import { bytesText } from '../../view/format.ts';

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
  checkWorkerCap(maxProcessRssBytes);
  if (cap.derived) checkDerivedCap(cap, workers);
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

/** Refuses a cap, as typed, at which no worker could do anything. */
export function checkWorkerCap(capBytes: number | null): void {
  if (capBytes === null || capBytes >= WORKER_RSS_BYTES_MIN) return;
  throw new Mx8Error(
    'caps_conflict',
    `--max-process-rss-bytes ${capBytes} (${bytesText(capBytes)}) is less than a worker process has before it reads a sample: ${NEEDS}; raise it, or leave it out to have it derived from the machine`,
    { max_process_rss_bytes: capBytes },
  );
}

function checkDerivedCap({ capBytes, source }: RssCap, workers: number): void {
  if (capBytes >= WORKER_RSS_BYTES_MIN) return;
  const whose = source === 'machine' ? 'this machine' : 'the control group';
  const share = `each of ${workers} ${workers === 1 ? 'worker' : 'workers'}`;
  throw new Mx8Error(
    'caps_conflict',
    `the memory of ${whose} leaves ${bytesText(capBytes)} for ${share}, less than a worker process has before it reads a sample: ${NEEDS}; ${workers > 1 ? 'lower --workers, or ' : ''}give the agent more memory`,
    { max_process_rss_bytes: capBytes, workers },
  );
}

const NEEDS = `${bytesText(WORKER_RSS_BYTES_MIN)} at the least, and ${bytesText(WORKER_RSS_BYTES_USUAL_MIN)} leave it room for batches`;
