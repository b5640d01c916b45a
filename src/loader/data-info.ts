/** What is known of the data once they are pinned. */
import { Mx8Error } from '../core/base/errors.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { EventSink } from '../ports/event-sink.ts';

export interface DataFacts {
  readonly manifestHash: ManifestHash;
  /** Of the whole data set. */
  readonly sampleCount: number;
  /**
   * What this loader hands out from here on: of its range the share of its rank, less what was read before its checkpoint.
   * Null with `job`, where leases decide it as they are given.
   */
  readonly ownSamples: number | null;
  /**
   * The batches of `batchSize` that these fill, the last one maybe in part. There are more where `maxInflightBytes` ends
   * batches early.
   */
  readonly ownBatches: number | null;
}

/** What is handed out of so many samples; null where that is not known. */
export function ownShare(
  samples: number | null,
  batchSize: number,
): Pick<DataFacts, 'ownSamples' | 'ownBatches'> {
  if (samples === null) return { ownSamples: null, ownBatches: null };
  return { ownSamples: samples, ownBatches: Math.ceil(samples / batchSize) };
}

export interface DataInfo extends DataFacts {
  /**
   * Names of the classes by label id; empty where the data set has none. Where they are written and cannot be read, asking
   * for them throws why; nothing else needs them.
   */
  readonly classes: readonly string[];
}

/** `data` with the classes that `read` finds, or with the reason why it finds none. */
export async function withClasses(
  data: DataFacts,
  read: () => Promise<readonly string[]>,
  { events, signal }: { readonly events: EventSink; readonly signal: AbortSignal },
): Promise<DataInfo> {
  try {
    return { ...data, classes: await read() };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Mx8Error)) throw error;
    const { code, message } = error;
    events.emit('warn', 'classes_unreadable', { code, message });
    return new UnnamedData(data, error);
  }
}

/** To print it, or to copy it, asks for no classes. */
class UnnamedData implements DataInfo {
  readonly manifestHash: ManifestHash;
  readonly sampleCount: number;
  readonly ownSamples: number | null;
  readonly ownBatches: number | null;
  readonly #reason: Mx8Error;

  constructor(facts: DataFacts, reason: Mx8Error) {
    this.manifestHash = facts.manifestHash;
    this.sampleCount = facts.sampleCount;
    this.ownSamples = facts.ownSamples;
    this.ownBatches = facts.ownBatches;
    this.#reason = reason;
  }

  get classes(): readonly string[] {
    throw this.#reason;
  }
}
