/**
 * What an agent and its worker processes say to each other over IPC. User code runs in the worker and
 * could write to the same channel, so whatever arrives at the agent is checked; what is malformed is
 * dropped with a word in the log.
 */
import { isErrorCode, type ErrorCode } from '../core/base/errors.ts';
import { isLeaseId } from '../core/base/units.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { WorkOrder } from '../core/node/crew-protocol.ts';
import { isHost } from '../core/transfer/store-report.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import type { StoreOptions } from '../storage/places.ts';
import { WORKER_STORES_MAX } from './limits.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';

/** Delivery without a job module: each sample is read, and waited for. */
export interface DeliverySettings {
  readonly batchSize: number;
  /** Wait per batch, as a consumer would take. */
  readonly sinkSleepMs: number;
  /** A file to which each delivered batch is appended as one line `start end`; null for none. */
  readonly logPath: string | null;
}

export interface WorkerSettings {
  readonly jobId: string;
  readonly nodeId: string;
  readonly slot: number;
  /** Unique among the processes of this node, for names of staged files. */
  readonly nonce: string;
  readonly work:
    | {
        readonly type: 'job';
        readonly jobFile: string;
        /** Absolute. */
        readonly out: string;
        readonly onError: 'fail' | 'quarantine';
        readonly commitIntervalMs: number;
      }
    | { readonly type: 'deliver'; readonly delivery: DeliverySettings };
  readonly caps: WorkerCaps;
  /** null: no cap. */
  readonly maxProcessRssBytes: number | null;
  /** How samples that are no files are reached; credentials are the worker’s own to find. */
  readonly stores: StoreOptions;
}

/** Caps of one worker that an operator may move while it works. */
export interface WorkerCaps {
  readonly maxInflightBytes: number;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
}

export type ToWorker =
  | { readonly type: 'configure'; readonly settings: WorkerSettings }
  | { readonly type: 'start_work'; readonly order: WorkOrder }
  /** Caps from now on; the bytes in flight for whatever is opened from now on. */
  | ({ readonly type: 'tune' } & WorkerCaps)
  | { readonly type: 'stop_work'; readonly workId: number; readonly flush: boolean }
  | {
      readonly type: 'records';
      readonly requestId: number;
      readonly records: readonly SampleRecord[];
    }
  | {
      readonly type: 'records_failed';
      readonly requestId: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** What it may have in flight at stores from now on; at those that are not named as it finds out. */
  | { readonly type: 'store_shares'; readonly shares: readonly StoreShare[] }
  | { readonly type: 'exit' };

export interface WorkerStats {
  readonly inflightBytes: number;
  readonly rssHighWaterBytes: number;
  readonly fetchQueueDepth: number;
  readonly decodeQueueDepth: number;
  readonly packQueueDepth: number;
}

type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export type FromWorker =
  /** `sinkKind` null: delivery only. `input` is the link that the job module names, if it does. */
  | { readonly type: 'ready'; readonly sinkKind: string | null; readonly input: string | null }
  | {
      readonly type: 'failed';
      readonly workId: number | null;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | {
      readonly type: 'batch_begun';
      readonly workId: number;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly type: 'batch_done';
      readonly workId: number;
      readonly cursor: number;
      readonly samples: number;
      readonly bytes: number;
      /** How long the batch was waited for, and how long it was worked on; microseconds. */
      readonly readUs: number;
      readonly processUs: number;
    }
  | {
      readonly type: 'piece_staged';
      readonly workId: number;
      readonly piece: StagedPiece;
      /** How long making it durable took; microseconds. */
      readonly stageUs: number;
    }
  | { readonly type: 'work_done'; readonly workId: number }
  | {
      readonly type: 'need_records';
      readonly requestId: number;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly type: 'stats';
      readonly stats: WorkerStats;
      /** The stores that it reads from. */
      readonly stores: readonly StoreReport[];
    }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: LogFields;
    };

type Fields = Readonly<Record<string, unknown>>;

/** The message, or null when it is none. */
export function decodeFromWorker(value: unknown): FromWorker | null {
  if (!isFields(value)) return null;
  switch (value['type']) {
    case 'ready':
      return isTextOrNull(value['sinkKind']) && isTextOrNull(value['input']) ? as(value) : null;
    case 'failed':
      if (!(value['workId'] === null || isCount(value['workId']))) return null;
      return isText(value['code']) && isErrorCode(value['code']) && isText(value['message'])
        ? as(value)
        : null;
    case 'batch_begun':
      return counts(value, 'workId', 'start', 'end') ? as(value) : null;
    case 'batch_done':
      return counts(value, 'workId', 'cursor', 'samples', 'bytes', 'readUs', 'processUs')
        ? as(value)
        : null;
    case 'piece_staged':
      return counts(value, 'workId', 'stageUs') && isPiece(value['piece']) ? as(value) : null;
    case 'work_done':
      return counts(value, 'workId') ? as(value) : null;
    case 'need_records':
      return counts(value, 'requestId', 'start', 'end') ? as(value) : null;
    case 'stats':
      return isStats(value['stats']) && isStores(value['stores']) ? as(value) : null;
    case 'log':
      return isLog(value) ? as(value) : null;
    default:
      return null;
  }
}

/** The one cast: each case above has checked every field of its message. */
function as(value: Fields): FromWorker {
  return value as unknown as FromWorker;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrNull(value: unknown): boolean {
  return value === null || isText(value);
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: Fields, ...names: readonly string[]): boolean {
  return names.every((name) => isCount(value[name]));
}

function isPiece(value: unknown): boolean {
  if (!isFields(value) || !counts(value, 'start', 'end', 'rows', 'bytes')) return false;
  const { leaseId, quarantined, inputBytes } = value;
  return (
    isText(leaseId) &&
    isLeaseId(leaseId) &&
    (inputBytes === undefined || isCount(inputBytes)) &&
    Array.isArray(quarantined) &&
    quarantined.every(isCount)
  );
}

function isStats(value: unknown): boolean {
  return (
    isFields(value) &&
    counts(
      value,
      'inflightBytes',
      'rssHighWaterBytes',
      'fetchQueueDepth',
      'decodeQueueDepth',
      'packQueueDepth',
    )
  );
}

function isStores(value: unknown): boolean {
  return Array.isArray(value) && value.length <= WORKER_STORES_MAX && value.every(isStore);
}

function isStore(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { host, share } = value;
  return (
    isText(host) &&
    isHost(host) &&
    (share === null || isCount(share)) &&
    counts(value, 'wanted', 'inFlight', 'servingMilli', 'pauseMs') &&
    counts(value, 'answeredTotal', 'refusedTotal', 'firstByteUsTotal', 'untimedTotal')
  );
}

const LEVELS: ReadonlySet<unknown> = new Set(['debug', 'info', 'warn', 'error']);

function isLog(value: Fields): boolean {
  const { level, event, fields } = value;
  if (!LEVELS.has(level) || !isText(event) || !isFields(fields)) return false;
  return Object.values(fields).every(
    (field) => field === null || ['string', 'number', 'boolean'].includes(typeof field),
  );
}
