/** Where a loader's records come from, and who hears what became of them. */
import type { RecordChunk } from '../pipeline/index.ts';
import type { DataInfo } from './data-info.ts';

/** Records [start, end) of the stream, counted from its beginning. */
export interface StreamPiece {
  readonly start: number;
  readonly end: number;
  readonly samples: number;
  readonly bytes: number;
}

export interface OpenedData {
  /** When the data are pinned, which may be long after the first record. */
  readonly pinned: Promise<DataInfo>;
}

export interface RecordSource {
  /** Resolves when there is something to be read. */
  open(signal: AbortSignal): Promise<OpenedData>;
  /** Samples that are known so far: all of them once the data are pinned. */
  readonly listedSamples: number;
  /** Called once, after `open`. */
  records(): AsyncIterable<RecordChunk>;
  /** How many records may be taken before a batch needs them. */
  readonly recordsAhead: number;
  /** Whether chunks of records must not share a batch. */
  readonly cutsAtChunks: boolean;
  /** A batch is about to be handed out, in order. False: its lease is gone, it must not be. */
  admits(piece: StreamPiece): boolean;
  /** The consumer is done with an admitted piece; in any order. */
  finished(piece: StreamPiece): void;
  /** A token to go on after the first `streamEnd` records. */
  checkpoint(streamEnd: number): string;
  /** How often the way to a coordinator broke. */
  readonly disconnects: number;
  close(): Promise<void>;
}
