/**
 * A stored manifest, opened. It holds one number per 1024 samples; a slice is read from the last noted
 * line before it, so opening [start, end) costs what the slice costs, however long the manifest is.
 */
import type { FileHandle } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { decodeSlice, withPins } from '../core/manifest/decode-slice.ts';
import { decodeTable } from '../core/manifest/decode-table.ts';
import { isUrl } from '../core/manifest/location.ts';
import { MANIFEST_INDEX_STRIDE } from '../core/manifest/limits.ts';
import { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { FileStamps, ManifestReader } from '../ports/manifest-store.ts';
import type { ColumnsFile } from './columns-file.ts';
import { readRange } from './file-bytes.ts';
import { RECORD_CHUNK_BYTES, TABLES_KEPT_BYTES_MAX, TABLES_KEPT_SAMPLES_MAX } from './limits.ts';
import type { ManifestIndex } from './manifest-index.ts';
import type { StampsFile } from './stamps-file.ts';

const NEWLINE = 0x0a;

/** Samples [from, to). */
interface ReadTable {
  readonly table: RecordTable;
  readonly from: number;
  readonly to: number;
}

/** The lines of samples [from, to). */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

export interface FsManifestParts {
  readonly path: string;
  readonly file: FileHandle;
  readonly index: ManifestIndex;
  readonly columns: ColumnsFile | null;
  readonly stamps: StampsFile | null;
  /** Called for every read of the manifest. */
  readonly onRead: ((hash: ManifestHash) => void) | undefined;
}

export class FsManifestReader implements ManifestReader {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly manifestBytes: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #marks: Float64Array;
  readonly #columns: ColumnsFile | null;
  readonly #stamps: StampsFile | null;
  readonly #onRead: ((hash: ManifestHash) => void) | undefined;
  /** Whole stretches between two noted lines, by their number. */
  readonly #kept: Map<number, RecordTable> = new Map<number, RecordTable>();
  #isClosed = false;

  constructor({ path, file, index, columns, stamps, onRead }: FsManifestParts) {
    this.hash = index.hash;
    this.sampleCount = index.sampleCount;
    this.manifestBytes = index.manifestBytes;
    this.#path = path;
    this.#file = file;
    this.#marks = index.marks;
    this.#columns = columns;
    this.#stamps = stamps;
    this.#onRead = onRead;
  }

  async *records(
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly SampleRecord[]> {
    const read = (from: number): Promise<Chunk> => this.#chunk(from, end);
    for await (const { bytes, from, to } of this.#inTurn(start, end, read, signal)) {
      const records = decodeSlice(bytes, from, this.#path);
      const stamps = await this.#stampsOf(from, to);
      yield stamps === null ? records : withPins(records, stamps.bytes, stamps.mtimesMs);
    }
  }

  async *tables(start: number, end: number, signal?: AbortSignal): AsyncGenerator<RecordTable> {
    const isShort = end - start < MANIFEST_INDEX_STRIDE / 4;
    if (isShort && this.#mayBeKept) yield* this.#shortTables(start, end, signal);
    else yield* this.#newTables(start, end, signal);
  }

  get #mayBeKept(): boolean {
    const { sampleCount, manifestBytes } = this;
    return sampleCount <= TABLES_KEPT_SAMPLES_MAX && manifestBytes <= TABLES_KEPT_BYTES_MAX;
  }

  async *#shortTables(
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RecordTable> {
    this.#checkRange(start, end);
    for (let from = start; from < end;) {
      signal?.throwIfAborted();
      const stretch = Math.floor(from / MANIFEST_INDEX_STRIDE);
      const first = stretch * MANIFEST_INDEX_STRIDE;
      const last = Math.min(first + MANIFEST_INDEX_STRIDE, this.sampleCount);
      const table = this.#kept.get(stretch) ?? (await this.#stretch(first, last));
      this.#kept.set(stretch, table);
      const to = Math.min(end, last);
      yield table.slice(from - first, to - first);
      from = to;
    }
  }

  async #stretch(first: number, last: number): Promise<RecordTable> {
    const tables: RecordTable[] = [];
    for await (const table of this.#newTables(first, last, undefined)) tables.push(table);
    return RecordTable.join(tables);
  }

  async *#newTables(
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RecordTable> {
    const read = (from: number): Promise<ReadTable> => this.#table(from, end);
    for await (const { table, from, to } of this.#inTurn(start, end, read, signal)) {
      const stamps = await this.#stampsOf(from, to);
      yield stamps === null ? table : table.withPins(stamps.bytes, tagsOf(table, stamps));
    }
  }

  /** A chunk of samples from `from`: out of the columns, or else of the lines. */
  async #table(from: number, end: number): Promise<ReadTable> {
    const columns = this.#columns;
    if (columns !== null) {
      this.#reads();
      const to = columns.chunkEnd(from, end);
      const table = await columns.read(from, to);
      if (table !== null) return { table, from, to };
    }
    const { bytes, to } = await this.#chunk(from, end);
    return { table: decodeTable(bytes, from, to, this.#path), from, to };
  }

  async sliceBytes(start: number, end: number): Promise<Uint8Array> {
    this.#checkRange(start, end);
    return start === end ? new Uint8Array(0) : this.#lines(start, end);
  }

  async stamps(start: number, end: number): Promise<FileStamps | null> {
    this.#checkRange(start, end);
    return this.#stampsOf(start, end);
  }

  range(start: number, end: number): Promise<Uint8Array> {
    return this.#read(start, end);
  }

  async *bytes(chunkBytes: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.manifestBytes; at += chunkBytes) {
      yield await this.#read(at, Math.min(at + chunkBytes, this.manifestBytes));
    }
  }

  async close(): Promise<void> {
    this.#kept.clear();
    this.#isClosed = true;
    await this.#stamps?.close();
    await this.#columns?.close();
    await this.#file.close();
  }

  /** Chunks of [start, end), each in memory of its own; the next one is read while one is used. */
  async *#inTurn<C extends { readonly to: number }>(
    start: number,
    end: number,
    read: (from: number) => Promise<C>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<C> {
    this.#checkRange(start, end);
    signal?.throwIfAborted();
    let ahead = start < end ? read(start) : null;
    while (ahead !== null) {
      const chunk: C = await ahead;
      ahead = chunk.to < end ? read(chunk.to) : null;
      // Whoever asks for it hears what is wrong with it; perhaps nobody does.
      ahead?.catch(() => undefined);
      yield chunk;
      signal?.throwIfAborted();
    }
  }

  async #chunk(from: number, end: number): Promise<Chunk> {
    const to = this.#chunkEnd(from, end);
    return { bytes: await this.#lines(from, to), from, to };
  }

  /** The end of a chunk of records from `from`: at a noted line, some 256 KiB on, at most `end`. */
  #chunkEnd(from: number, end: number): number {
    const startsAt = this.#offsetAtOrBefore(from);
    let to = from;
    do {
      to = Math.min(end, (Math.floor(to / MANIFEST_INDEX_STRIDE) + 1) * MANIFEST_INDEX_STRIDE);
    } while (to < end && this.#offsetAtOrAfter(to) - startsAt < RECORD_CHUNK_BYTES);
    return to;
  }

  /** The lines of samples [start, end), cut out of the noted stretch around them. */
  async #lines(start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.#read(this.#offsetAtOrBefore(start), this.#offsetAtOrAfter(end));
    const first = this.#skipLines(bytes, 0, start % MANIFEST_INDEX_STRIDE);
    // From the last noted line at or before `end`, as seen in these bytes.
    const lastMark = Math.floor(end / MANIFEST_INDEX_STRIDE) * MANIFEST_INDEX_STRIDE;
    const isMarkInside = lastMark > start;
    const last = isMarkInside
      ? this.#skipLines(
          bytes,
          this.#offsetAtOrAfter(lastMark) - this.#offsetAtOrBefore(start),
          end - lastMark,
        )
      : this.#skipLines(bytes, first, end - start);
    return bytes.subarray(first, last);
  }

  #skipLines(bytes: Uint8Array, from: number, count: number): number {
    let at = from;
    for (let line = 0; line < count; line += 1) {
      const newline = bytes.indexOf(NEWLINE, at);
      if (newline === -1) throw this.#changed();
      at = newline + 1;
    }
    return at;
  }

  async #stampsOf(start: number, end: number): Promise<FileStamps | null> {
    if (this.#stamps === null) return null;
    this.#checkOpen();
    return this.#stamps.read(start, end);
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    const message = `the manifest ${this.hash} was closed: no job of this coordinator reads it any more`;
    throw new Mx8Error('manifest_missing', message, { manifest_hash: this.hash });
  }

  #reads(): void {
    this.#checkOpen();
    this.#onRead?.(this.hash);
  }

  async #read(start: number, end: number): Promise<Buffer> {
    this.#reads();
    const bytes = await readRange(this.#file, start, end);
    if (bytes.length < end - start) throw this.#changed();
    return bytes;
  }

  #offsetAtOrBefore(sampleId: number): number {
    return this.#marks[Math.floor(sampleId / MANIFEST_INDEX_STRIDE)] ?? this.manifestBytes;
  }

  #offsetAtOrAfter(sampleId: number): number {
    return this.#marks[Math.ceil(sampleId / MANIFEST_INDEX_STRIDE)] ?? this.manifestBytes;
  }

  #checkRange(start: number, end: number): void {
    const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0;
    if (isRange && start <= end && end <= this.sampleCount) return;
    throw new Mx8Error(
      'field_invalid',
      `[${start}, ${end}) is no range of the ${this.sampleCount} samples of manifest ${this.hash}.`,
      { start, end, sample_count: this.sampleCount },
    );
  }

  #changed(): Mx8Error {
    return new Mx8Error(
      'manifest_corrupt',
      `The manifest ${this.#path} was changed while it was open; it must stay what hashes to ${this.hash}.`,
      { path: this.#path, manifest_hash: this.hash },
    );
  }
}

/** Of objects in stores the second number of a stamp is their tag, not a time. */
function tagsOf(table: RecordTable, stamps: FileStamps): Float64Array | null {
  return table.length > 0 && isUrl(table.location(0)) ? stamps.mtimesMs : null;
}
