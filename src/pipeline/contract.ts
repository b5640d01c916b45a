/** What the pipeline takes and gives; `run.ts` implements it. */
import type { Mx8Error } from '../core/base/errors.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type { MemoryGate } from '../ports/memory-gate.ts';
import type { Places } from '../ports/place.ts';
import type { SampleReader } from '../storage/sample-reader.ts';

/**
 * Some samples in one contiguous slab. It holds its memory permit until it is released; after that
 * its getters throw `batch_released` and the slab is used again.
 */
export interface SampleBatch extends Disposable {
  /** Global sample ids, in the order of the records; ascending where those are. */
  readonly sampleIds: Float64Array;
  /** The bytes of all samples, one after the other, without gaps. */
  readonly payload: Uint8Array;
  /** How many they are; known of a batch that has been released, too. */
  readonly payloadBytes: number;
  /** n + 1 byte positions in `payload`: sample i is [offsets[i], offsets[i + 1]). */
  readonly offsets: Float64Array;
  /** Class of each sample, -1 where it has none. */
  readonly labelIds: Int32Array;
  /** The manifest records of the samples, for their locations and hints. */
  readonly records: readonly SampleRecord[];
  /** Samples in the batch; 0 when all of its records were skipped. */
  readonly sampleCount: number;
  /**
   * How many of the pipeline's records are behind it once this batch is done with, skipped ones
   * included: what a cursor moves to.
   */
  readonly streamEnd: number;
  /** Sample i without a copy. */
  sample(index: number): Uint8Array;
  /**
   * From now on it may be forgotten: its memory comes back once nothing refers to it any more. Who does not say
   * so has to release it.
   */
  watch(): void;
  release(): void;
}

/** Records that follow each other. As a table they cost next to nothing where nobody looks at them. */
export type RecordChunk = RecordTable | readonly SampleRecord[];

export type SampleErrorVerdict = 'fail' | 'skip';

/** How far the reading is ahead of the consumer. */
export interface ReadAhead {
  /** Batches being read ahead of the consumer. */
  readonly prefetchBatches: number;
  /** Batches ready and waiting for the consumer. */
  readonly maxQueueBatches: number;
}

export interface PipelineOptions extends ReadAhead {
  /** Records in delivery order, in chunks; read no further ahead than the caps allow. */
  readonly records: AsyncIterable<RecordChunk> | Iterable<RecordChunk>;
  readonly batchSize: number;
  /** A mechanical cap: the bytes held by all slabs never exceed it, not by one byte. */
  readonly maxInflightBytes: number;
  /**
   * How far it may be ahead now, asked before each batch is begun: for caps that move while it reads. What is
   * ahead already is kept. Default: as given.
   */
  readonly aheadNow?: () => ReadAhead;
  readonly signal?: AbortSignal;
  /** Asked for each sample that cannot be read; default: always 'fail'. */
  readonly onSampleError?: (record: SampleRecord, error: Mx8Error) => SampleErrorVerdict;
  /** True: a batch never holds records of two chunks. False, the default: chunks are only transport. */
  readonly cutAtChunks?: boolean;
  /**
   * The next chunk is asked for when fewer records are left than so many, so that nobody waits for it. 0, the default: when
   * a batch needs it; for sources that give what they cannot take back.
   */
  readonly recordsAhead?: number;
  /** Measures the two waits of the statistics; without it they stay 0. */
  readonly clock?: Clock;
  /** Asked before each batch is begun; while it refuses, one batch at a time is read. */
  readonly gate?: MemoryGate;
  /** Reads the bytes, and outlives this pipeline: its threads serve the next one too. */
  readonly reader?: SampleReader;
  /** Opens the stores when something is to be read that is not a file, where no `reader` is given. */
  readonly openPlaces?: () => Places;
  /**
   * Called when the consumer begins to wait while all memory is held by batches that it has not
   * released, and what it returns when that is over. Batches among them that were forgotten come back
   * once they are collected, so this is the place to see to that, and to call `lookAgain` afterwards.
   */
  readonly onStall?: (lookAgain: () => void) => () => void;
}

export interface PipelineStats {
  /** Bytes of slabs that hold a permit now; <= maxInflightBytes at all times. */
  readonly inflightBytes: number;
  readonly inflightBytesHighWater: number;
  readonly fetchQueueDepth: number;
  readonly decodeQueueDepth: number;
  readonly packQueueDepth: number;
  readonly deliveredBatches: number;
  readonly deliveredSamples: number;
  readonly deliveredBytes: number;
  readonly skippedSamples: number;
  /** How long the consumer waited for the pipeline, and the pipeline for the consumer, in all. */
  readonly consumerWaitMs: number;
  readonly backpressureWaitMs: number;
}

/** Batches in order. Leaving the loop in any way releases everything. */
export interface Pipeline extends AsyncIterable<SampleBatch>, AsyncDisposable {
  /**
   * The next batch, null at the end; without a promise where nobody has to wait for it. Instead of the
   * iterator, for who closes the pipeline itself, however it ends.
   */
  take(): Promise<SampleBatch | null> | SampleBatch | null;
  stats(): PipelineStats;
  close(): Promise<void>;
}
