/** A range of a pinned data set, in the order of its blocks, without a coordinator. */
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { rangeLength } from '../core/base/range.ts';
import type { SampleRange } from '../core/base/range.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import { blockOrder } from '../core/order/block-order.ts';
import { rangesInOrder } from '../core/order/block-range.ts';
import { rankShare } from '../core/order/rank-share.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestReader, ManifestStore } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import { readClasses, resolveLink } from '../snapshots/index.ts';
import type { UnpackBudget } from '../snapshots/index.ts';
import { checkAgreement, checkpointOf, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import { ownShare, withClasses } from './data-info.ts';
import type { DataInfo } from './data-info.ts';
import { fullBatches, sayNothingFull } from './drop-last.ts';
import { RECORDS_AHEAD } from './limits.ts';
import type { OrderOptions } from './options.ts';
import type { OpenedData, RecordSource } from './source.ts';

export interface LocalSourceOptions {
  readonly link: string;
  readonly order: OrderOptions;
  readonly batchSize: number;
  readonly dropLast: boolean;
  /** A checkpoint to go on from; null for the beginning. */
  readonly resume: string | null;
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
  readonly rowsPerSample: number | null;
  readonly unpack: UnpackBudget;
  readonly store: ManifestStore;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Opens the stores; the source closes what it opened. */
  readonly openPlaces: () => Places;
}

export class LocalSource implements RecordSource {
  readonly recordsAhead: number = RECORDS_AHEAD;
  readonly cutsAtChunks: boolean = false;
  readonly disconnects: number = 0;
  readonly #options: LocalSourceOptions;
  #reader: ManifestReader | null = null;
  #signal: AbortSignal | undefined;
  #hash: string = '';
  #sampleCount: number = 0;
  /** Samples of the order that were taken before this reading. */
  #skipped: number = 0;

  constructor(options: LocalSourceOptions) {
    this.#options = options;
  }

  get listedSamples(): number {
    return this.#sampleCount;
  }

  async open(signal: AbortSignal): Promise<OpenedData> {
    const { link, store, clock, events, unpack } = this.#options;
    const { format, columns, rowsPerSample } = this.#options;
    this.#signal = signal;
    const places = this.#options.openPlaces();
    try {
      const { hash } = await resolveLink(link, {
        ...{ store, clock, events, places, signal },
        ...{ format, columns, rowsPerSample, unpack },
      });
      const info = await this.#opened(hash, await store.open(hash), places, signal);
      return { pinned: Promise.resolve(info) };
    } finally {
      await places.close();
    }
  }

  async #opened(
    hash: ManifestHash,
    reader: ManifestReader,
    places: Places,
    signal: AbortSignal,
  ): Promise<DataInfo> {
    const { order, resume, batchSize, events } = this.#options;
    this.#reader = reader;
    this.#hash = hash;
    const { sampleCount } = reader;
    this.#sampleCount = sampleCount;
    this.#checkRange(sampleCount);
    if (resume !== null) {
      const checkpoint = decodeCheckpoint(resume);
      checkAgreement(checkpoint, checkpointOf(hash, order, 0));
      this.#skipped = checkpoint.position;
    }
    const read = (): Promise<readonly string[]> => readClasses(reader, places);
    const own = Math.max(0, rangeLength(this.#share(sampleCount)) - this.#skipped);
    const all = rangeLength(this.#wholeShare(sampleCount));
    if (own === 0 && all > 0 && resume === null) {
      sayNothingFull(this.#smallestShare(sampleCount), batchSize, events);
    }
    const facts = { manifestHash: hash, sampleCount, ...ownShare(own, batchSize) };
    return withClasses(facts, read, { events, signal });
  }

  async *records(): AsyncGenerator<RecordTable, void, undefined> {
    const reader = must(this.#reader, 'a source is opened before it is read');
    const share = this.#share(reader.sampleCount);
    let toSkip = share.start + this.#skipped;
    let left = rangeLength(share) - this.#skipped;
    if (left <= 0) return;
    for (const range of this.#ranges(reader.sampleCount)) {
      const start = range.start + Math.min(toSkip, rangeLength(range));
      toSkip -= start - range.start;
      const end = Math.min(range.end, start + left);
      if (start >= end) continue;
      left -= end - start;
      yield* reader.tables(start, end, this.#signal);
      if (left === 0) return;
    }
  }

  admits(): boolean {
    return true;
  }

  finished(): void {
    // Where the consumer is, is kept by the consumer: in its checkpoints.
  }

  checkpoint(streamEnd: number): string {
    const position = this.#skipped + streamEnd;
    if (this.#hash === '' && this.#options.resume !== null) return this.#options.resume;
    return encodeCheckpoint(checkpointOf(this.#hash, this.#options.order, position));
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = null;
  }

  /** Of the order within the range, what this process reads. */
  #share(sampleCount: number): SampleRange {
    const { dropLast, batchSize } = this.#options;
    const share = this.#wholeShare(sampleCount);
    return dropLast ? fullBatches(share, this.#smallestShare(sampleCount), batchSize) : share;
  }

  #smallestShare(sampleCount: number): number {
    return Math.floor(this.#length(sampleCount) / this.#options.order.worldSize);
  }

  #wholeShare(sampleCount: number): SampleRange {
    const { rank, worldSize } = this.#options.order;
    return rankShare(this.#length(sampleCount), rank, worldSize);
  }

  #length(sampleCount: number): number {
    const { start, end } = this.#options.order;
    return (end ?? sampleCount) - start;
  }

  #checkRange(sampleCount: number): void {
    const { start, end } = this.#options.order;
    for (const [option, value] of Object.entries({ start, end })) {
      if (value === null || value <= sampleCount) continue;
      throw new Mx8Error(
        'load_options_invalid',
        `load(): ${option} is ${value}, but ${this.#options.link} has only ${sampleCount} samples.`,
        { option, samples: sampleCount },
      );
    }
  }

  *#ranges(sampleCount: number): Generator<SampleRange> {
    const { order } = this.#options;
    const within = { start: order.start, end: order.end ?? sampleCount };
    // In id order blocks make no difference, and one long range is read with less ado.
    if (!order.shuffle) yield within;
    else
      yield* rangesInOrder(
        { ...order, sampleCount },
        blockOrder({ ...order, sampleCount }),
        within,
      );
  }
}
