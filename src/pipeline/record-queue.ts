/** The records that no batch has been planned for yet, in order, pulled from the source as needed. */
import type { SampleRecord } from '../core/manifest/record.ts';
import type { PipelineOptions } from './contract.ts';

export interface Upcoming {
  readonly record: SampleRecord;
  /** Bytes of the sample: pinned, measured or learned; -1 where not known. */
  sizeBytes: number;
  /** True for the last record of a chunk that ends a batch. */
  readonly endsBatch: boolean;
  /** How often a batch had to be planned again because this sample was larger than expected. */
  misfits: number;
}

type ChunkIterator = AsyncIterator<readonly SampleRecord[]> | Iterator<readonly SampleRecord[]>;

export class RecordQueue {
  readonly #cutAtChunks: boolean;
  readonly #source: ChunkIterator;
  #entries: Upcoming[] = [];
  /** Entries before this one are planned. */
  #head: number = 0;
  #sourceDone: boolean = false;
  #pulling: boolean = false;
  #pulledCount: number = 0;

  constructor(records: PipelineOptions['records'], cutAtChunks: boolean) {
    this.#cutAtChunks = cutAtChunks;
    this.#source =
      Symbol.asyncIterator in records
        ? records[Symbol.asyncIterator]()
        : records[Symbol.iterator]();
  }

  /** Records that the source has given so far. */
  get pulledCount(): number {
    return this.#pulledCount;
  }

  /** Pulls until the next batch's records are here: `count` of them, or fewer where it ends early. */
  async fill(count: number): Promise<void> {
    while (!this.#sourceDone && this.#missing(count)) {
      this.#pulling = true;
      try {
        const chunk = await this.#source.next();
        if (chunk.done === true) this.#sourceDone = true;
        else this.#append(chunk.value);
      } catch (error) {
        this.#sourceDone = true;
        throw error;
      } finally {
        this.#pulling = false;
      }
    }
  }

  /** The records of the next batch: at most `count`, not beyond the end of a chunk that ends it. */
  peek(count: number): readonly Upcoming[] {
    const limit = Math.min(this.#entries.length, this.#head + count);
    let end = this.#head;
    while (end < limit) {
      end += 1;
      if (this.#entries[end - 1]?.endsBatch === true) break;
    }
    return this.#entries.slice(this.#head, end);
  }

  take(count: number): void {
    this.#head += count;
    if (this.#head < this.#entries.length) return;
    this.#entries = [];
    this.#head = 0;
  }

  /** Makes `entries` the next ones again. */
  putBack(entries: readonly Upcoming[]): void {
    this.#entries = [...entries, ...this.#entries.slice(this.#head)];
    this.#head = 0;
  }

  /** Tells the source that no more will be asked for. */
  async close(): Promise<void> {
    if (this.#sourceDone) return;
    this.#sourceDone = true;
    const returned = this.#source.return?.();
    // A source that is still busy with an answer hears of it afterwards; nobody waits for that.
    if (this.#pulling) Promise.resolve(returned).catch(() => undefined);
    else await returned;
  }

  #missing(count: number): boolean {
    const entries = this.peek(count);
    return entries.length < count && entries.at(-1)?.endsBatch !== true;
  }

  #append(chunk: readonly SampleRecord[]): void {
    const last = chunk.length - 1;
    this.#pulledCount += chunk.length;
    for (const [index, record] of chunk.entries()) {
      this.#entries.push({
        record,
        sizeBytes: record.byteLength ?? -1,
        endsBatch: this.#cutAtChunks && index === last,
        misfits: 0,
      });
    }
  }
}
