/** The records that no batch has been planned for yet, in order, pulled from the source as needed. */
import type { SampleRecord } from '../core/manifest/record.ts';
import type { PipelineOptions } from './contract.ts';

/** Size of a sample that nobody has asked for yet. */
export const UNKNOWN_SIZE = -1;

/** Records that follow each other, with the bytes of each: pinned, measured, learned or unknown. */
export interface Stretch {
  readonly records: readonly SampleRecord[];
  /** Same length as `records`. */
  readonly sizes: number[];
}

type ChunkIterator = AsyncIterator<readonly SampleRecord[]> | Iterator<readonly SampleRecord[]>;

export class RecordQueue {
  readonly #source: ChunkIterator;
  /** Records that end a batch; null where chunks are only transport. */
  readonly #batchEnds: WeakSet<SampleRecord> | null;
  #records: SampleRecord[] = [];
  #sizes: number[] = [];
  /** Records before this one are planned. */
  #head: number = 0;
  #sourceDone: boolean = false;
  #pulling: boolean = false;
  #pulledCount: number = 0;

  constructor(records: PipelineOptions['records'], cutAtChunks: boolean) {
    this.#batchEnds = cutAtChunks ? new WeakSet() : null;
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
    while (!this.#sourceDone && this.#isShort(count)) {
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
  peek(count: number): Stretch {
    const end = this.#batchEnd(count);
    return {
      records: this.#records.slice(this.#head, end),
      sizes: this.#sizes.slice(this.#head, end),
    };
  }

  /** Notes what has been learned of the records that `peek` shows, from the first of them on. */
  learn(sizes: readonly number[]): void {
    for (const [index, size] of sizes.entries()) this.#sizes[this.#head + index] = size;
  }

  take(count: number): void {
    this.#head += count;
    if (this.#head < this.#records.length) return;
    this.#records = [];
    this.#sizes = [];
    this.#head = 0;
  }

  /** Makes these the next ones again, in this order. */
  putBack(stretches: readonly Stretch[]): void {
    this.#records = [
      ...stretches.flatMap(({ records }) => records),
      ...this.#records.slice(this.#head),
    ];
    this.#sizes = [...stretches.flatMap(({ sizes }) => sizes), ...this.#sizes.slice(this.#head)];
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

  #isShort(count: number): boolean {
    const end = this.#batchEnd(count);
    if (end - this.#head === count) return false;
    const last = this.#records[end - 1];
    return end === this.#head || last === undefined || this.#batchEnds?.has(last) !== true;
  }

  /** One past the last record of the next batch. */
  #batchEnd(count: number): number {
    const limit = Math.min(this.#records.length, this.#head + count);
    if (this.#batchEnds === null) return limit;
    for (let index = this.#head; index < limit; index += 1) {
      const record = this.#records[index];
      if (record !== undefined && this.#batchEnds.has(record)) return index + 1;
    }
    return limit;
  }

  #append(chunk: readonly SampleRecord[]): void {
    this.#pulledCount += chunk.length;
    for (const record of chunk) {
      this.#records.push(record);
      this.#sizes.push(record.byteLength ?? UNKNOWN_SIZE);
    }
    const last = chunk.at(-1);
    if (last !== undefined) this.#batchEnds?.add(last);
  }
}
