/** Where a loader's records come from, and who hears what became of them. */
import type { ManifestHash } from '../core/base/units.ts';
import type { RecordChunk } from '../pipeline/index.ts';

/** What is known of the data once the source is open. */
export interface DataInfo {
  readonly manifestHash: ManifestHash;
  readonly sampleCount: number;
  /** Names of the classes by label id; empty where the data set has none. */
  readonly classes: readonly string[];
}

/** Records [start, end) of the stream, counted from its beginning. */
export interface StreamPiece {
  readonly start: number;
  readonly end: number;
  readonly samples: number;
  readonly bytes: number;
}

export interface RecordSource {
  open(signal: AbortSignal): Promise<DataInfo>;
  /** Called once, after `open`. */
  records(): AsyncIterable<RecordChunk>;
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
