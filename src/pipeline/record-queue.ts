/** The records that no batch has been planned for yet, in order, pulled from the source as needed. */
import { must } from '../core/base/assert.ts';
import { isUrl } from '../core/manifest/location.ts';
import { codedPartsOf } from '../core/format/coded-table.ts';
import { RecordTable } from '../core/manifest/record-table.ts';
import type { RecordChunk, PipelineOptions } from './contract.ts';

/** Size of a sample that nobody has asked for yet. */
export const UNKNOWN_SIZE = -1;

/** Records that follow each other, with the bytes of each: pinned, measured, learned or unknown. */
export interface Stretch {
  readonly table: RecordTable;
  /** One for each record; what is learned is noted here. */
  readonly sizes: Float64Array;
  /** How many records of the pipeline come before it. */
  readonly start: number;
  /** Whether no batch may hold its last record and the one after it. */
  readonly endsBatch: boolean;
}

type RecordQueueOptions = Pick<PipelineOptions, 'records' | 'cutAtChunks' | 'recordsAhead'>;

type ChunkIterator = AsyncIterator<RecordChunk> | Iterator<RecordChunk>;

export class RecordQueue {
  readonly #source: ChunkIterator;
  readonly #cutAtChunks: boolean;
  readonly #recordsAhead: number;
  #stretches: Stretch[] = [];
  /** Records of the first stretch before this one are planned. */
  #head: number = 0;
  #sourceDone: boolean = false;
  #pulling: boolean = false;
  /** What the source said instead of giving records. */
  #failure: { readonly error: unknown } | null = null;
  /** Wakes who waits in `fill`; there is one at most. */
  #onChange: () => void = () => undefined;
  #pulledCount: number = 0;

  constructor({ records, cutAtChunks = false, recordsAhead = 0 }: RecordQueueOptions) {
    this.#cutAtChunks = cutAtChunks;
    this.#recordsAhead = recordsAhead;
    this.#source =
      Symbol.asyncIterator in records
        ? records[Symbol.asyncIterator]()
        : records[Symbol.iterator]();
  }

  /** Records that the source has given so far. */
  get pulledCount(): number {
    return this.#pulledCount;
  }

  /** How many records of the pipeline come before the next one. */
  get position(): number {
    const first = this.#stretches[0];
    return first === undefined ? this.#pulledCount : first.start + this.#head;
  }

  /**
   * Waits until the next batch's records are here: `count` of them, or fewer where it ends early. Records
   * that come back meanwhile count as well: a source may have none until they are done with.
   */
  async fill(count: number): Promise<void> {
    while (this.isShort(count)) {
      if (this.#failure !== null) throw this.#failure.error;
      const changed = new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
      if (!this.#pulling) this.#pull();
      await changed;
    }
  }

  /**
   * The records of the next batch: at most `count`, not beyond the end of a chunk that ends it; null
   * when there are none.
   */
  peek(count: number): Stretch | null {
    const parts: Stretch[] = [];
    let from = this.#head;
    let missing = count;
    for (const stretch of this.#stretches) {
      const part = partOf(stretch, from, Math.min(from + missing, stretch.table.length));
      parts.push(part);
      missing -= part.table.length;
      from = 0;
      if (missing === 0 || part.endsBatch) break;
    }
    const [first, ...others] = parts;
    if (first === undefined || others.length === 0) return first ?? null;
    return joined(parts);
  }

  /** Notes the sizes of the records that come next. */
  learn(sizes: Float64Array): void {
    let from = this.#head;
    let done = 0;
    for (const stretch of this.#stretches) {
      const { length } = stretch.table;
      const known = sizes.subarray(done, done + length - from);
      stretch.sizes.set(known, from);
      done += known.length;
      from = 0;
    }
  }

  take(count: number): void {
    this.#head += count;
    this.#drop();
    this.#pullAhead();
  }

  /** Lets go of stretches that are planned. */
  #drop(): void {
    for (let first = this.#stretches[0]; first !== undefined; first = this.#stretches[0]) {
      if (this.#head < first.table.length) return;
      this.#head -= first.table.length;
      this.#stretches.shift();
    }
  }

  /** Asks for the next chunk before anybody waits for it. */
  #pullAhead(): void {
    if (this.#pulling || this.#sourceDone) return;
    if (this.#pulledCount - this.position < this.#recordsAhead) this.#pull();
  }

  /** Makes these the next ones again, in this order. */
  putBack(stretches: readonly Stretch[]): void {
    const [first, ...others] = this.#stretches;
    const rest = first === undefined ? [] : [partOf(first, this.#head, first.table.length)];
    this.#stretches = [...stretches, ...rest, ...others];
    this.#head = 0;
    this.#onChange();
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

  /** Whether the source has to be asked for the next batch's records. */
  isShort(count: number): boolean {
    let missing = count + this.#head;
    for (const { table, endsBatch } of this.#stretches) {
      missing -= table.length;
      if (missing <= 0 || endsBatch) return false;
    }
    return this.#failure !== null || !this.#sourceDone;
  }

  /** Asks the source for one chunk; what comes of it is noted before whoever waits looks again. */
  #pull(): void {
    this.#pulling = true;
    this.#takeChunk()
      .catch((error: unknown) => {
        this.#sourceDone = true;
        this.#failure = { error };
      })
      .finally(() => {
        this.#pulling = false;
        this.#onChange();
      });
  }

  async #takeChunk(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk.done === true) this.#sourceDone = true;
    else this.#append(chunk.value);
  }

  #append(chunk: RecordChunk): void {
    const table = chunk instanceof RecordTable ? chunk : RecordTable.of(chunk);
    if (table.length === 0) return;
    const start = this.#pulledCount;
    this.#pulledCount += table.length;
    // What a whole file had when it was pinned is checked when it is read, and not relied upon before. An
    // object in a store is read only as the one that was pinned, and asking for its size takes long.
    const offsets = table.byteOffsets();
    const sizes = table.byteLengths().slice();
    const isInStore = placesOf(table);
    for (let index = 0; index < sizes.length; index += 1) {
      if (offsets[index] === -1 && !isInStore(index)) sizes[index] = UNKNOWN_SIZE;
    }
    // What a part of a compressed file takes is not what its record names.
    for (const [index, part] of codedPartsOf(table)?.entries() ?? []) {
      if (part !== null) sizes[index] = part.bytes;
    }
    this.#stretches.push({ table, sizes, start, endsBatch: this.#cutAtChunks });
  }
}

/** Tells which records are in stores. Nearly every table is all of one kind, which two looks tell. */
function placesOf(table: RecordTable): (index: number) => boolean {
  const first = isUrl(table.location(0));
  if (first === isUrl(table.location(table.length - 1))) return () => first;
  return (index) => isUrl(table.location(index));
}

/** Records [from, to) of a stretch; what is learned of them is noted in both. */
export function partOf(stretch: Stretch, from: number, to: number): Stretch {
  const { table, sizes, start, endsBatch } = stretch;
  if (from === 0 && to === table.length) return stretch;
  return {
    table: table.slice(from, to),
    sizes: sizes.subarray(from, to),
    start: start + from,
    endsBatch: endsBatch && to === table.length,
  };
}

function joined(parts: readonly Stretch[]): Stretch {
  const table = RecordTable.join(parts.map((part) => part.table));
  const sizes = new Float64Array(table.length);
  let at = 0;
  for (const part of parts) {
    sizes.set(part.sizes, at);
    at += part.sizes.length;
  }
  const { start } = must(parts[0], 'there are parts to join');
  return { table, sizes, start, endsBatch: parts.at(-1)?.endsBatch === true };
}
