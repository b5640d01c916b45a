/** The samples of a link from the first that is listed on, without a coordinator. */
import { must } from '../core/base/assert.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { Block } from '../core/order/shuffle-buffer.ts';
import { StreamOrder } from '../core/order/stream-order.ts';
import type { Places } from '../ports/place.ts';
import { LinkFollower, readClasses } from '../snapshots/index.ts';
import type { FollowedLines } from '../snapshots/index.ts';
import { ownShare, withClasses } from './data-info.ts';
import type { DataInfo } from './data-info.ts';
import { inFullBatches, sayNothingFull } from './drop-last.ts';
import { BLOCK_SIZE_DEFAULT, STREAM_RECORDS_AT_ONCE } from './limits.ts';
import { ListingDigest } from './listing-digest.ts';
import type { LocalSourceOptions } from './local-source.ts';
import type { StreamOptions } from './options.ts';
import type { OpenedData, RecordSource } from './source.ts';
import {
  checkBlockSize,
  checkListed,
  checkManifest,
  checkStreamAgreement,
  decodeStreamCheckpoint,
  encodeStreamCheckpoint,
} from './stream-checkpoint.ts';
import type { StreamCheckpoint } from './stream-checkpoint.ts';

export interface StreamSourceOptions extends Omit<LocalSourceOptions, 'order'> {
  readonly streaming: StreamOptions;
}

export class StreamSource implements RecordSource {
  readonly recordsAhead: number = 0;
  readonly cutsAtChunks: boolean = false;
  readonly disconnects: number = 0;
  readonly #options: StreamSourceOptions;
  readonly #digest: ListingDigest = new ListingDigest();
  /** What this reading goes on from. */
  #from: StreamCheckpoint | null = null;
  /** The same until it was found to be of these data. */
  #unchecked: StreamCheckpoint | null = null;
  #blockSize: number;
  #follower: LinkFollower | null = null;
  #info: Promise<DataInfo> | null = null;

  constructor(options: StreamSourceOptions) {
    this.#options = options;
    this.#blockSize = options.streaming.blockSize ?? 0;
  }

  get listedSamples(): number {
    return this.#follower?.listedSamples ?? 0;
  }

  async open(signal: AbortSignal): Promise<OpenedData> {
    const { link, resume, streaming, store, clock, events } = this.#options;
    const { format, columns, rowsPerSample, unpack } = this.#options;
    if (resume !== null) {
      this.#from = decodeStreamCheckpoint(resume);
      this.#unchecked = this.#from;
      checkStreamAgreement(this.#from, streaming);
    }
    const places = this.#options.openPlaces();
    const how = { format, columns, rowsPerSample, unpack };
    const follower = new LinkFollower(link, { store, clock, events, places, signal, ...how });
    this.#follower = follower;
    this.#info = this.#infoOf(follower, places, signal);
    this.#info.catch(() => undefined);
    return { pinned: this.#info };
  }

  records(): AsyncGenerator<RecordTable, void, undefined> {
    const { dropLast, batchSize } = this.#options;
    const records = this.#allRecords();
    return dropLast ? inFullBatches(records, batchSize, this.#from?.position ?? 0) : records;
  }

  async *#allRecords(): AsyncGenerator<RecordTable, void, undefined> {
    const follower = must(this.#follower, 'a source is opened before it is read');
    if (this.#from !== null && this.#from.manifestHash !== '') {
      // A checkpoint of pinned data is one of no other data, however they begin.
      checkManifest(this.#from, (await follower.pinned).hash);
      this.#unchecked = null;
    }
    let order: StreamOrder | null = null;
    /** What may be delivered once the listing is known to be the one that was gone through before. */
    const held: Block[] = [];
    for (;;) {
      const until = this.#unchecked?.listedSamples ?? Infinity;
      const isChecked = this.#digest.samples >= until || until === Infinity;
      if (isChecked && this.#unchecked !== null) this.#check(this.#digest.hex());
      if (isChecked && order !== null) yield* this.#tables(held.splice(0), order);
      const lines = await follower.next(isChecked ? Infinity : until);
      if (lines === null) break;
      this.#digest.add(lines);
      order ??= await this.#begin(lines, follower);
      held.push(...order.push(lines));
    }
    if (this.#unchecked !== null) this.#check(null);
    if (order === null) return;
    for (;;) {
      const blocks = order.drain(STREAM_RECORDS_AT_ONCE);
      if (blocks.length === 0) return;
      yield* this.#tables(blocks, order);
    }
  }

  admits(): boolean {
    return true;
  }

  finished(): void {
    // Where the consumer is, is kept by the consumer: in its checkpoints.
  }

  checkpoint(streamEnd: number): string {
    const { resume, streaming } = this.#options;
    if (resume !== null && (this.#unchecked !== null || this.#follower === null)) return resume;
    const { shuffle, seed, epoch, shuffleBufferSize } = streaming;
    return encodeStreamCheckpoint({
      manifestHash: this.#follower?.manifestHash ?? '',
      listedSamples: this.#digest.samples,
      listedHash: this.#digest.hex(),
      ...{ shuffle, seed: String(seed), epoch, shuffleBufferSize },
      blockSize: this.#blockSize,
      position: (this.#from?.position ?? 0) + streamEnd,
    });
  }

  async close(): Promise<void> {
    await this.#follower?.close();
    await this.#info?.catch(() => undefined);
  }

  async #infoOf(follower: LinkFollower, places: Places, signal: AbortSignal): Promise<DataInfo> {
    const { store, events, batchSize, dropLast } = this.#options;
    try {
      const { hash, sampleCount } = await follower.pinned;
      const reader = await store.open(hash);
      try {
        const read = (): Promise<readonly string[]> => readClasses(reader, places);
        const position = this.#from?.position ?? 0;
        const full = dropLast ? sampleCount - (sampleCount % batchSize) : sampleCount;
        const own = Math.max(0, full - position);
        if (own === 0 && sampleCount > 0 && position === 0) {
          sayNothingFull(sampleCount, batchSize, events);
        }
        const facts = { manifestHash: hash, sampleCount, ...ownShare(own, batchSize) };
        return await withClasses(facts, read, { events, signal });
      } finally {
        await reader.close();
      }
    } finally {
      await places.close();
    }
  }

  #check(hash: string | null): void {
    const from = must(this.#unchecked, 'there is something to be checked');
    if (from.listedSamples > 0) checkListed(from, this.#options.link, hash);
    this.#unchecked = null;
  }

  /** Whole files are shuffled one by one; of samples in shards neighbours stay together, to be read in one go. */
  async #begin(lines: FollowedLines, follower: LinkFollower): Promise<StreamOrder> {
    const { shuffle, seed, epoch, shuffleBufferSize } = this.#options.streaming;
    if (this.#blockSize === 0) {
      const to = lines.at + (lines.ends[0] ?? 0);
      const stamp = { bytes: -1, mtimeMs: -1 };
      const line = { first: lines.first, count: 1, from: lines.at, to, ...stamp };
      const table = await follower.pick([line]);
      this.#blockSize = table.record(0).byteOffset === null ? 1 : BLOCK_SIZE_DEFAULT;
    }
    if (this.#from !== null) checkBlockSize(this.#from, this.#blockSize);
    const spec = { samples: shuffleBufferSize, blockSize: this.#blockSize, seed, epoch };
    return new StreamOrder(shuffle ? spec : null, this.#from?.position ?? 0);
  }

  async *#tables(blocks: readonly Block[], order: StreamOrder): AsyncGenerator<RecordTable, void> {
    const follower = must(this.#follower, 'a source is open while it is read');
    for (let at = 0; at < blocks.length;) {
      let end = at;
      for (let samples = 0; end < blocks.length && samples < STREAM_RECORDS_AT_ONCE; end += 1) {
        samples += blocks[end]?.count ?? 0;
      }
      const table = await follower.pick(blocks.slice(at, end));
      const cut = order.takeCut();
      yield table.slice(cut, table.length);
      at = end;
    }
  }
}
