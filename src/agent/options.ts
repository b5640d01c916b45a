/** What an agent is started with, its defaults and its checks. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId, NodeId } from '../core/base/units.ts';
import type { NodeCaps } from '../core/job/protocol.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Random } from '../ports/random.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { ManifestHealing } from './manifest-records.ts';
import { STORE_DEFAULTS } from '../storage/places.ts';
import type { StoreOptions } from '../storage/places.ts';
import {
  COMMIT_INTERVAL_MS_DEFAULT,
  DRAIN_TIMEOUT_MS_DEFAULT,
  PROGRESS_INTERVAL_MS_DEFAULT,
  SINK_SLEEP_MS_DEFAULT,
  STALL_TIMEOUT_MS_DEFAULT,
  WORKERS_MAX,
} from './limits.ts';

/** Delivery without a job module. */
export interface DeliverOptions {
  readonly batchSize: number;
  /** Wait per batch, as a consumer would take; default 0. */
  readonly sinkSleepMs?: number;
  /** Each delivered batch is appended to this file as one line `start end`. */
  readonly deliverLog?: string;
}

export interface AgentOptions {
  /** The agent does not close it. */
  readonly client: CoordinatorClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  /** The job module and where its outputs go (absolute); or delivery alone. */
  readonly work:
    | { readonly type: 'job'; readonly jobFile: string; readonly out: string }
    | ({ readonly type: 'deliver' } & DeliverOptions);
  /** Worker processes; default 1. */
  readonly workers?: number;
  /** Leases held at a time; default: one for each worker and one more, so that none waits. */
  readonly want?: number;
  /** What the coordinator is told; `maxInflightBytes` is shared out among the workers. */
  readonly caps: NodeCaps;
  /** Per worker; default 2 and 2. */
  readonly prefetchBatches?: number;
  readonly maxQueueBatches?: number;
  /** Cap of each worker process; null or absent: none. */
  readonly maxProcessRssBytes?: number | null;
  /** Holds fewer leases and reads less ahead while a worker is near its cap; default true. */
  readonly autotune?: boolean;
  /** How samples that are no files are reached; default: as Amazon’s own variables and files say. */
  readonly stores?: StoreOptions;
  /** What becomes of a sample that fails for good; default `fail`. */
  readonly onError?: 'fail' | 'quarantine';
  readonly commitIntervalMs?: number;
  readonly stallTimeoutMs?: number;
  readonly progressIntervalMs?: number;
  /** What `drain()` may take before everything still in hand is given up; default 1,500 ms. */
  readonly drainTimeoutMs?: number;
  /** Longest wait for a node id that another process holds; default: the lease TTL and some. */
  readonly nodeIdBusyMaxMs?: number | null;
  /** Token to resume a job without outputs from; empty or absent: none. */
  readonly resumeFrom?: Uint8Array;
  /** Where a manifest is looked for that the leader cannot give; default: nowhere. */
  readonly healing?: ManifestHealing | null;
  /** Collects spans of calls and commits; default: nobody. */
  readonly tracer?: Tracer | null;
  /** Takes the lines that workers print; default: this process's standard error. */
  readonly writeWorkerLine?: (line: string) => void;
}

export type CompiledAgentOptions = Required<AgentOptions>;

export function compileAgentOptions(options: AgentOptions): CompiledAgentOptions {
  const workers = options.workers ?? 1;
  checkWhole('workers', workers, 1, WORKERS_MAX);
  const want = options.want ?? workers + 1;
  checkWhole('want', want, 1, 1024);
  const { maxInflightBytes } = options.caps;
  checkWhole('max_inflight_bytes', maxInflightBytes, workers, Number.MAX_SAFE_INTEGER);
  const compiled: CompiledAgentOptions = {
    ...options,
    workers,
    want,
    prefetchBatches: options.prefetchBatches ?? 2,
    maxQueueBatches: options.maxQueueBatches ?? 2,
    maxProcessRssBytes: options.maxProcessRssBytes ?? null,
    autotune: options.autotune ?? true,
    onError: options.onError ?? 'fail',
    commitIntervalMs: options.commitIntervalMs ?? COMMIT_INTERVAL_MS_DEFAULT,
    stallTimeoutMs: options.stallTimeoutMs ?? STALL_TIMEOUT_MS_DEFAULT,
    progressIntervalMs: options.progressIntervalMs ?? PROGRESS_INTERVAL_MS_DEFAULT,
    drainTimeoutMs: options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS_DEFAULT,
    nodeIdBusyMaxMs: options.nodeIdBusyMaxMs ?? null,
    resumeFrom: options.resumeFrom ?? new Uint8Array(0),
    healing: options.healing ?? null,
    stores: options.stores ?? STORE_DEFAULTS,
    tracer: options.tracer ?? null,
    writeWorkerLine: options.writeWorkerLine ?? ((line) => void process.stderr.write(line)),
  };
  checkWhole('commit_interval_ms', compiled.commitIntervalMs, 0, 2 ** 31);
  checkWhole('stall_timeout_ms', compiled.stallTimeoutMs, 1, 2 ** 31);
  checkWhole('progress_interval_ms', compiled.progressIntervalMs, 1, 2 ** 31);
  checkWhole('drain_timeout_ms', compiled.drainTimeoutMs, 0, 2 ** 31);
  if (compiled.work.type === 'deliver') {
    checkWhole('sink_sleep_ms', compiled.work.sinkSleepMs ?? SINK_SLEEP_MS_DEFAULT, 0, 2 ** 31);
  }
  return compiled;
}

function checkWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const message = `${name} takes a whole number from ${min} to ${max}, got ${value}`;
  throw new Mx8Error('flag_invalid', message, { flag: name });
}
