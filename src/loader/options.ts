/** The options of `load()`: what each means, its default, and the checks before anything is read. */
import { resolve } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { isId, jobId, nodeId } from '../core/base/units.ts';
import type { JobId, NodeId } from '../core/base/units.ts';
import { FORMAT_CHOICES, isFormatChoice } from '../core/format/format-name.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import { ROWS_PER_SAMPLE_MAX } from '../core/format/limits.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { checkCaps, defaultInflightBytes } from '../core/memory/caps.ts';
import {
  BATCH_SIZE_DEFAULT,
  MAX_QUEUE_BATCHES_DEFAULT,
  PREFETCH_BATCHES_DEFAULT,
} from '../core/memory/limits.ts';
import { SHUFFLE_BUFFER_SAMPLES_MAX } from '../core/order/limits.ts';
import { effectiveRssCap } from '../core/memory/rss-cap.ts';
import type { MemoryReadings, RssCap } from '../core/memory/rss-cap.ts';
import type { SampleErrorVerdict } from '../pipeline/index.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { HttpOptions } from '../storage/http/http-place.ts';
import { DISK_CACHE_BYTES_DEFAULT, DISK_CACHE_BYTES_MIN } from '../storage/cache/limits.ts';
import type { DiskCacheOptions } from '../storage/cache/limits.ts';
import type { AzureOptions } from '../storage/azure/azure-settings.ts';
import type { GcsOptions } from '../storage/gcs/gcs-settings.ts';
import type { ResolverOptions } from '../storage/source-resolver.ts';
import { STORE_DEFAULTS } from '../storage/places.ts';
import type { StoreOptions } from '../storage/places.ts';
import type { S3Options } from '../storage/s3/s3-options.ts';
import { UNPACK_DEFAULTS } from '../snapshots/index.ts';
import type { UnpackBudget } from '../snapshots/index.ts';
import { compileDropLast } from './drop-last.ts';
import {
  BLOCK_SIZE_DEFAULT,
  PROGRESS_INTERVAL_MS_DEFAULT,
  SHUFFLE_BUFFER_SIZE_DEFAULT,
  WANT_MAX,
} from './limits.ts';

export interface LoadOptions {
  /**
   * What a sample is: `files`, `jsonl`, `webdataset`, `mds`, `csv`, `parquet`, `arrow`, or `auto` for what the names of the files say.
   * By default each file of a folder is one, and a file such as `x.jsonl.gz` goes by its name.
   */
  readonly format?: FormatChoice | undefined;
  /** What a row of a Parquet or Arrow file is made of. All columns. */
  readonly columns?: readonly string[] | undefined;
  /**
   * Of Parquet and Arrow files: so many rows, of one row group, are a sample, as columns (`batch.columns(i)`). Each row
   * is one, as JSON.
   */
  readonly rowsPerSample?: number | undefined;
  /** Bytes that may come out of each byte of a compressed file while it is indexed. 500. */
  readonly unpackRatioMax?: number | undefined;
  /** Bytes that may come out of one compressed file while it is indexed. 1 TiB. */
  readonly unpackBytesMax?: number | undefined;
  /** Most samples in a batch; it ends earlier where the next sample would pass half of `maxInflightBytes`. 512. */
  readonly batchSize?: number | undefined;
  /** Ends with the last full batch: what would be left for a shorter one is not read. Not with `job`. false. */
  readonly dropLast?: boolean | undefined;
  /** Bytes of samples held at a time, not one more. 64 MiB, or a quarter of a small RSS cap. */
  readonly maxInflightBytes?: number | undefined;
  /** Resident memory of this process; reading slows down before it and ends with an error at it. */
  readonly maxRamBytes?: number | undefined;
  /** Batches being read ahead. 2. */
  readonly prefetchBatches?: number | undefined;
  /** Batches ready and waiting. 4. */
  readonly maxQueueBatches?: number | undefined;
  /** Only samples [start, end). Everything. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Blocks of `blockSize` samples in an order drawn from seed and epoch. false, 0, 0, 256. */
  readonly shuffle?: boolean | undefined;
  readonly seed?: bigint | number | undefined;
  readonly epoch?: number | undefined;
  readonly blockSize?: number | undefined;
  /**
   * This process is reader `rank` (from 0) of `worldSize`, and takes its share of the order: each sample goes to one
   * of them, none gets more than one sample more than another, and each epoch shuffles over all. 0 of 1.
   */
  readonly rank?: number | undefined;
  readonly worldSize?: number | undefined;
  /**
   * Batches from the first files that are listed on, while the rest is still being listed; the data are pinned when
   * the listing ends. Shuffled through a buffer, which gives an order of its own. false.
   */
  readonly streaming?: boolean | undefined;
  /** Samples in the shuffle buffer of `streaming`; `blockSize` is 1 there, for samples of shards 256. 100,000. */
  readonly shuffleBufferSize?: number | undefined;
  /** What `loader.checkpoint()` gave; with `job`, a resume token of its coordinator. */
  readonly resume?: string | Uint8Array | undefined;
  /** Ends the reading; the loop throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Read leases of this job from the coordinator at `coord`, as the node `node`, `want` (1) at a time. */
  readonly job?: string | undefined;
  readonly coord?: string | undefined;
  readonly node?: string | undefined;
  readonly want?: number | undefined;
  /** Longest time between two reports of what the consumer has finished with. 500. */
  readonly progressIntervalMs?: number | undefined;
  /** Folder of pinned manifests. ~/.mx8/manifests. */
  readonly manifestStoreRoot?: string | undefined;
  /** How object stores and web servers are reached, beside Amazon’s own variables and files. */
  readonly stores?:
    | {
        readonly s3?: Partial<S3Options>;
        readonly gcs?: Partial<GcsOptions>;
        readonly azure?: Partial<AzureOptions>;
        readonly http?: Partial<HttpOptions>;
        readonly resolver?: Partial<ResolverOptions>;
      }
    | undefined;
  /** Folder for copies of what is read from stores, of at most so many bytes. None; 20 GiB. */
  readonly diskCache?: string | undefined;
  readonly diskCacheBytes?: number | undefined;
  /** Asked for each sample that cannot be read. 'fail' for all. */
  readonly onSampleError?:
    ((record: SampleRecord, error: Mx8Error) => SampleErrorVerdict) | undefined;
  /** Gets the facts that the command line would log, such as `rss_cap_defaulted`. Nobody. */
  readonly events?: EventSink | undefined;
}

/** How the samples of a data set follow each other: what a checkpoint must agree with. */
export interface OrderOptions {
  readonly shuffle: boolean;
  readonly seed: bigint;
  readonly epoch: number;
  readonly blockSize: number;
  readonly start: number;
  /** null: the end of the data set. */
  readonly end: number | null;
  /** Whose share of that is read; 0 of 1 is all of it. */
  readonly rank: number;
  readonly worldSize: number;
}

/** How a streamed reading goes: what a checkpoint of it must agree with. */
export interface StreamOptions {
  readonly shuffle: boolean;
  readonly seed: bigint;
  readonly epoch: number;
  readonly shuffleBufferSize: number;
  /** null: as the data are. */
  readonly blockSize: number | null;
}

export interface JobOptions {
  readonly jobId: JobId;
  readonly coordUrl: string;
  /** null: a fresh one. */
  readonly nodeId: NodeId | null;
  readonly want: number;
  readonly progressIntervalMs: number;
  /** Empty for none. */
  readonly resumeFrom: Uint8Array;
}

export interface CompiledOptions {
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly maxInflightBytes: number;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
  readonly rssCap: RssCap;
  readonly order: OrderOptions;
  /** null: read when all is pinned, in `order`. */
  readonly streaming: StreamOptions | null;
  /** null: start at the beginning of the order. */
  readonly resume: string | null;
  /** null: a local range. */
  readonly job: JobOptions | null;
  readonly manifestStoreRoot: string | null;
  readonly stores: StoreOptions;
  /** null: nobody said. */
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
  /** null: each row is a sample. */
  readonly rowsPerSample: number | null;
  readonly unpack: UnpackBudget;
}

const UINT64_MAX = 2n ** 64n - 1n;
const UINT32_MAX = 2 ** 32 - 1;

/** `load_options_invalid` or `caps_conflict` when the options cannot be meant. */
export function compileLoadOptions(options: LoadOptions, memory: MemoryReadings): CompiledOptions {
  const maxRamBytes = options.maxRamBytes ?? null;
  if (maxRamBytes !== null) checkWhole('maxRamBytes', maxRamBytes, 1, Number.MAX_SAFE_INTEGER);
  const rssCap = effectiveRssCap({ maxRamBytes, maxProcessRssBytes: null }, memory);
  const compiled: CompiledOptions = {
    batchSize: options.batchSize ?? BATCH_SIZE_DEFAULT,
    dropLast: compileDropLast(options),
    maxInflightBytes: options.maxInflightBytes ?? defaultInflightBytes(rssCap.capBytes),
    prefetchBatches: options.prefetchBatches ?? PREFETCH_BATCHES_DEFAULT,
    maxQueueBatches: options.maxQueueBatches ?? MAX_QUEUE_BATCHES_DEFAULT,
    rssCap,
    order: compileOrder(options),
    streaming: compileStreaming(options),
    job: compileJob(options),
    resume: compileResume(options),
    manifestStoreRoot: options.manifestStoreRoot ?? null,
    stores: {
      s3: { ...STORE_DEFAULTS.s3, ...options.stores?.s3 },
      gcs: { ...STORE_DEFAULTS.gcs, ...options.stores?.gcs },
      azure: { ...STORE_DEFAULTS.azure, ...options.stores?.azure },
      resolver: { ...STORE_DEFAULTS.resolver, ...options.stores?.resolver },
      http: { ...STORE_DEFAULTS.http, ...options.stores?.http },
      cache: compileDiskCache(options),
    },
    format: compileFormat(options),
    columns: compileColumns(options),
    rowsPerSample: compileRows(options),
    unpack: compileUnpack(options),
  };
  const refusal = checkCaps({ ...compiled, rssCapBytes: rssCap.capBytes });
  if (refusal !== null) {
    throw new Mx8Error(refusal.code, `load(): ${inOptionNames(refusal.message)}`);
  }
  return compiled;
}

/** Sentences about caps have the names of counters; who calls `load()` has options. */
function inOptionNames(message: string): string {
  return message
    .replaceAll('max_process_rss_bytes', 'maxRamBytes')
    .replaceAll(/(?<=[a-z])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function compileFormat({ format, job }: LoadOptions): FormatChoice | null {
  if (format === undefined) return null;
  if (job !== undefined) {
    throw invalid('format', format, 'is decided by the job and must be left out with it');
  }
  if (isFormatChoice(format)) return format;
  throw invalid('format', JSON.stringify(format), `is one of ${FORMAT_CHOICES.join(', ')}`);
}

function compileColumns({ columns, job }: LoadOptions): readonly string[] | null {
  if (columns === undefined) return null;
  if (job !== undefined) {
    throw invalid('columns', 'a list', 'are decided by the job and must be left out with it');
  }
  const names: unknown = columns;
  const isNames = Array.isArray(names) && names.length > 0;
  if (isNames && names.every((name) => typeof name === 'string' && name !== '')) return columns;
  throw invalid('columns', JSON.stringify(names), 'is a list of names of columns');
}

function compileRows({ rowsPerSample, job }: LoadOptions): number | null {
  if (rowsPerSample === undefined) return null;
  checkWhole('rowsPerSample', rowsPerSample, 1, ROWS_PER_SAMPLE_MAX);
  if (job === undefined) return rowsPerSample;
  const expected = 'is decided by the job and must be left out with it';
  throw invalid('rowsPerSample', String(rowsPerSample), expected);
}

function compileDiskCache({ diskCache, diskCacheBytes }: LoadOptions): DiskCacheOptions | null {
  const capBytes = diskCacheBytes ?? DISK_CACHE_BYTES_DEFAULT;
  checkWhole('diskCacheBytes', capBytes, DISK_CACHE_BYTES_MIN, Number.MAX_SAFE_INTEGER);
  if (diskCache !== undefined) return { folder: resolve(diskCache), capBytes };
  if (diskCacheBytes === undefined) return null;
  throw incomplete('diskCacheBytes', 'diskCache');
}

function compileUnpack(options: LoadOptions): UnpackBudget {
  const { unpackRatioMax: ratioMax = UNPACK_DEFAULTS.ratioMax } = options;
  const { unpackBytesMax: bytesMax = UNPACK_DEFAULTS.bytesMax } = options;
  checkWhole('unpackRatioMax', ratioMax, 1, 1_000_000);
  checkWhole('unpackBytesMax', bytesMax, 1, Number.MAX_SAFE_INTEGER);
  return { ratioMax, bytesMax };
}

function compileOrder(options: LoadOptions): OrderOptions {
  const { start = 0, end = null, shuffle = false, epoch = 0 } = options;
  const { blockSize = BLOCK_SIZE_DEFAULT } = options;
  checkWhole('start', start, 0, Number.MAX_SAFE_INTEGER);
  if (end !== null) checkWhole('end', end, start, Number.MAX_SAFE_INTEGER);
  checkWhole('epoch', epoch, 0, UINT32_MAX);
  checkWhole('blockSize', blockSize, 1, UINT32_MAX);
  const { rank, worldSize } = compileRank(options);
  const { seed = 0n } = options;
  if (typeof seed === 'number' && seed > Number.MAX_SAFE_INTEGER) {
    throw invalid('seed', String(seed), 'is a bigint above 2^53 - 1, such as 2n ** 60n');
  }
  if (typeof seed === 'number') checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  const wide = BigInt(seed);
  if (wide < 0n || wide > UINT64_MAX) throw invalid('seed', String(wide), 'is 0 to 2^64 - 1');
  return { shuffle, seed: wide, epoch, blockSize, start, end, rank, worldSize };
}

function compileRank({ rank, worldSize }: LoadOptions): Pick<OrderOptions, 'rank' | 'worldSize'> {
  if (rank === undefined && worldSize === undefined) return { rank: 0, worldSize: 1 };
  if (rank === undefined || worldSize === undefined) {
    const [option, missing] = rank === undefined ? ['worldSize', 'rank'] : ['rank', 'worldSize'];
    const message = `load(): ${option} was given without ${missing}. Give both, or neither to read everything in this process.`;
    throw new Mx8Error('load_options_invalid', message, { option });
  }
  checkWhole('worldSize', worldSize, 1, UINT32_MAX);
  checkWhole('rank', rank, 0, worldSize - 1);
  return { rank, worldSize };
}

function compileStreaming(options: LoadOptions): StreamOptions | null {
  const { streaming = false, shuffleBufferSize = SHUFFLE_BUFFER_SIZE_DEFAULT } = options;
  checkWhole('shuffleBufferSize', shuffleBufferSize, 1, SHUFFLE_BUFFER_SAMPLES_MAX);
  const refuse = (option: string, why: string): Mx8Error =>
    new Mx8Error('load_options_invalid', `load(): ${why}`, { option });
  if (!streaming && options.shuffleBufferSize === undefined) return null;
  if (!streaming) {
    throw refuse(
      'shuffleBufferSize',
      'shuffleBufferSize was given without streaming. Add streaming: true, or leave it away: blocks of blockSize are shuffled over all of the data then.',
    );
  }
  if (options.job !== undefined || options.coord !== undefined) {
    throw refuse(
      'streaming',
      'with streaming a process reads all of a listing that still goes on, and a coordinator deals out pieces of data that are pinned. Leave streaming away, or job and coord.',
    );
  }
  for (const name of ['rank', 'worldSize'] as const) {
    if (options[name] === undefined) continue;
    throw refuse(
      name,
      `${name} is about a share of data that are pinned, and with streaming each process reads all of a listing. Leave ${name} away, or streaming.`,
    );
  }
  for (const name of ['start', 'end'] as const) {
    if (options[name] === undefined) continue;
    throw refuse(
      name,
      `${name} is counted in data that are pinned, and with streaming nobody knows yet how many there are. Leave ${name} away, or streaming.`,
    );
  }
  const { shuffle, seed, epoch } = compileOrder(options);
  return { shuffle, seed, epoch, shuffleBufferSize, blockSize: options.blockSize ?? null };
}

function compileJob(options: LoadOptions): JobOptions | null {
  const { job, coord, node, want = 1, resume } = options;
  if (job === undefined && coord === undefined) {
    const stray = node === undefined ? options.want : node;
    if (stray === undefined) return null;
    throw incomplete(node === undefined ? 'want' : 'node', 'job and coord');
  }
  if (job === undefined) throw incomplete('coord', 'job');
  if (coord === undefined) throw incomplete('job', 'coord');
  if (!isId(job)) throw invalid('job', JSON.stringify(job), 'is 1 to 128 visible ASCII characters');
  if (node !== undefined && !isId(node)) {
    throw invalid('node', JSON.stringify(node), 'is 1 to 128 visible ASCII characters');
  }
  const ofTheJob = ['start', 'end', 'shuffle', 'seed', 'epoch', 'blockSize'] as const;
  for (const name of [...ofTheJob, 'rank', 'worldSize'] as const) {
    if (options[name] === undefined) continue;
    throw invalid(
      name,
      String(options[name]),
      'is decided by the job and must be left out with it',
    );
  }
  checkWhole('want', want, 1, WANT_MAX);
  const { progressIntervalMs = PROGRESS_INTERVAL_MS_DEFAULT } = options;
  checkWhole('progressIntervalMs', progressIntervalMs, 1, UINT32_MAX);
  if (typeof resume === 'string') {
    throw invalid('resume', 'a string', 'takes the bytes of a resume token with job');
  }
  return {
    jobId: jobId(job),
    coordUrl: coord,
    nodeId: node === undefined ? null : nodeId(node),
    want,
    progressIntervalMs,
    resumeFrom: resume ?? new Uint8Array(0),
  };
}

function compileResume(options: LoadOptions): string | null {
  if (options.job !== undefined || options.resume === undefined) return null;
  if (typeof options.resume === 'string') return options.resume;
  return new TextDecoder().decode(options.resume);
}

function checkWhole(option: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw invalid(option, String(value), `is a whole number from ${min} to ${max}`);
}

function incomplete(option: string, missing: string): Mx8Error {
  const message = `load(): ${option} was given without ${missing}. Give both, or neither for a local range.`;
  return new Mx8Error('load_options_invalid', message, { option });
}

function invalid(option: string, got: string, expected: string): Mx8Error {
  return new Mx8Error('load_options_invalid', `load(): ${option} ${expected}, not ${got}.`, {
    option,
  });
}
