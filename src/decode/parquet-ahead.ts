/**
 * What is done of row groups before their turn: the bytes of columns are read, and large pages are decompressed in
 * Node's threads while this one still decodes what comes before. Both only where the room of a file suffices, which
 * bounds their memory; what finds none, and what fails, is done in its turn, where somebody hears of it.
 */
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, zstdDecompress } from 'node:zlib';
import type { ColumnMetaData } from 'hyparquet';

import { AHEAD_PAGE_BYTES_MIN } from './limits.ts';
import { unzipOptions } from './parquet-file.ts';
import { packedPages } from './parquet-pages.ts';
import type { BytesIn } from './parquet-spans.ts';

/** Bytes that may still be taken, in both senses. */
export class AheadRoom {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (!(bytes >= 0 && bytes <= this.#left)) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/** Work that is begun when what came before it has ended: a store is read forwards. */
export class Lane {
  #last: Promise<unknown> = Promise.resolve();
  #waiting: number = 0;

  run<T>(work: () => Promise<T>): Promise<T> {
    const settled = (): void => void (this.#waiting -= 1);
    const running = this.#last.then(work);
    this.#waiting += 1;
    this.#last = running.then(settled, settled);
    return running;
  }

  /** Lets what was read meanwhile be heard of, so that what comes next is begun. */
  async turn(): Promise<void> {
    if (this.#waiting > 0) await setImmediate();
  }
}

type UnpackLater = (packed: Uint8Array, size: number) => Promise<Uint8Array>;

/** Those that Node has threads for. */
const UNPACK_LATER: Partial<Record<ColumnMetaData['codec'], UnpackLater>> = {
  GZIP: later(promisify(gunzip)),
  BROTLI: later(promisify(brotliDecompress)),
  ZSTD: later(promisify(zstdDecompress)),
};

function later(
  unzip: (
    packed: Uint8Array,
    options: { maxOutputLength: number; chunkSize: number },
  ) => Promise<Uint8Array>,
): UnpackLater {
  return (packed, size) => unzip(packed, unzipOptions(size));
}

interface ChunkOptions {
  readonly meta: ColumnMetaData;
  readonly read: () => Promise<BytesIn>;
  /** What that reads now, with what lies between. */
  readonly bytesToRead: () => number;
  readonly room: AheadRoom;
  readonly lane: Lane;
}

/** The bytes of one column of a row group, and pages of it by where they lie in the memory of those. */
export interface Chunk extends BytesIn {
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

export class ChunkAhead {
  readonly #options: ChunkOptions;
  readonly #pages: Map<number, Uint8Array> = new Map();
  readonly #unpacking: Promise<void>[] = [];
  #reading: Promise<BytesIn | null> | null = null;
  #bytes: Uint8Array | null = null;
  /** Of the room. */
  #held: number = 0;
  #mayUnpack: boolean = false;
  #isAsked: boolean = false;
  #isLeft: boolean = false;

  constructor(options: ChunkOptions) {
    this.#options = options;
  }

  read(): void {
    if (this.#reading !== null) return;
    this.#reading = this.#options.lane.run(() => this.#read());
    // Whoever takes it hears of it.
    this.#reading.catch(() => undefined);
  }

  unpack(): void {
    if (this.#mayUnpack) return;
    this.#mayUnpack = true;
    if (this.#bytes !== null) this.#unpack(this.#bytes);
  }

  /** From now on a failure to read it is one. */
  ask(): void {
    this.#isAsked = true;
    this.read();
    this.unpack();
  }

  /** In its turn. What was made of it is the caller's then. */
  async take(): Promise<Chunk> {
    this.ask();
    const read = (await this.#reading) ?? (await this.#options.read());
    await Promise.all(this.#unpacking);
    this.leave();
    return { ...read, pages: this.#pages };
  }

  /** Nothing more is begun. */
  leave(): void {
    this.#isLeft = true;
    this.#bytes = null;
    this.#options.room.giveBack(this.#held);
    this.#held = 0;
  }

  /** The same, and when no other thread reads any more in what was read: who lets go of memory may do so then. */
  async over(): Promise<void> {
    this.leave();
    await Promise.all(this.#unpacking);
  }

  /** Null: not ahead. */
  async #read(): Promise<BytesIn | null> {
    const { read, bytesToRead } = this.#options;
    if (this.#isLeft || !this.#hold(bytesToRead())) return null;
    try {
      const found = await read();
      if (this.#isLeft) return null;
      this.#bytes = found.bytes;
      if (this.#mayUnpack) this.#unpack(found.bytes);
      return found;
    } catch (error) {
      if (this.#isAsked) throw error;
      return null;
    }
  }

  #hold(bytes: number): boolean {
    const isHeld = this.#options.room.take(bytes);
    if (isHeld) this.#held += bytes;
    return isHeld;
  }

  #unpack(bytes: Uint8Array): void {
    const { codec, num_values: slots, total_uncompressed_size: size } = this.#options.meta;
    const unpack = UNPACK_LATER[codec];
    if (unpack === undefined || size < AHEAD_PAGE_BYTES_MIN) return;
    try {
      for (const page of packedPages(bytes, Number(slots))) {
        if (page.size < AHEAD_PAGE_BYTES_MIN || !this.#hold(page.size)) continue;
        this.#unpacking.push(this.#unpackPage(unpack, page.packed, page.size));
      }
    } catch {
      // Pages that are damaged are so in their turn.
    }
  }

  async #unpackPage(unpack: UnpackLater, packed: Uint8Array, size: number): Promise<void> {
    try {
      this.#pages.set(packed.byteOffset, await unpack(packed, size));
    } catch {
      // It fails again in its turn.
    }
  }
}
