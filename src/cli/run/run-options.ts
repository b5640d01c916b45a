/** What `mx8 run` takes, read and checked. */
import type { FormatChoice } from '../../core/format/format-name.ts';
import type { Relief } from '../../core/job/protocol.ts';
import type { StoreFlagOptions } from '../stores.ts';
import type { ServerTlsFiles } from '../tls.ts';
import type { ViewLimits } from '../../view/looks.ts';

export interface RunOptions extends ViewLimits, StoreFlagOptions, ServerTlsFiles {
  /** Null: the input that the job names. */
  readonly data: string | null;
  /** Null: the one that the job names, or what the names of the files say. */
  readonly format: FormatChoice | null;
  /** Null: those that the job names, or all. */
  readonly columns: readonly string[] | null;
  /** Null: as many as the job names, or each by itself. */
  readonly rowsPerSample: number | null;
  readonly unpackRatioMax: number;
  readonly unpackBytesMax: number;
  /** Null: the output that the job names. */
  readonly out: string | null;
  /** Folder of the states of runs whose outputs are in stores; null: below the home folder. */
  readonly runState: string | null;
  readonly nodes: number;
  /** For all processes of the run; null to derive it. */
  readonly ramBytes: number | null;
  readonly resume: boolean;
  readonly json: boolean;
  readonly onError: 'fail' | 'quarantine';
  /** Null to derive it. */
  readonly blockSize: number | null;
  /** Worker processes of each agent; null to derive it from the machine. */
  readonly workers: number | null;
  readonly shuffle: boolean;
  readonly seed: bigint;
  readonly epoch: number;
  /** Of each worker; null to derive it. */
  readonly maxInflightBytes: number | null;
  /** A further cap on each worker process; null for its share of the memory. */
  readonly maxProcessRssBytes: number | null;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
  readonly manifestStoreRoot: string | null;
  readonly manifestCacheBytes: number;
  readonly leaseTtlMs: number;
  readonly heartbeatIntervalMs: number;
  readonly progressIntervalMs: number;
  readonly stallBudgetMs: number;
  /** Address of the page; null: none. */
  readonly httpBind: string | null;
  readonly insecure: boolean;
  readonly relief: Relief;
  /** Of all agents at one store; null: as many as it gives. */
  readonly maxStoreRequests: number | null;
  readonly requeueDead: boolean;
}
