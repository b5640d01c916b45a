/** A manifest store in memory, for tests of what reads manifests. */
import { createHash } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { type ManifestHash, manifestHash } from '../core/base/units.ts';
import { decodeSlice, withPins } from '../core/manifest/decode-slice.ts';
import { decodeTable } from '../core/manifest/decode-table.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isUrl } from '../core/manifest/location.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type {
  CurrentSnapshot,
  FileStamp,
  FileStamps,
  ManifestReader,
  ManifestSpool,
  ManifestStore,
  StampWriter,
} from '../ports/manifest-store.ts';

/** Records in one chunk of `records`: small, so that tests see more than one. */
const RECORDS_PER_CHUNK = 100;

export class MemoryManifestStore implements ManifestStore {
  readonly #manifests: Map<ManifestHash, Uint8Array> = new Map<ManifestHash, Uint8Array>();
  readonly #current: Map<string, ManifestHash> = new Map<string, ManifestHash>();
  readonly #stamps: Map<ManifestHash, readonly (FileStamp | null)[]> = new Map();
  readonly #locks: Map<string, Promise<unknown>> = new Map<string, Promise<unknown>>();
  /** Readers that were opened and not closed: a test may ask for 0 at its end. */
  openReaders = 0;

  /** Stores a manifest of `count` files of the names that `location` gives. */
  async putFiles(
    count: number,
    location: (id: number) => string = (id) => `/data/${id}.bin`,
    /** Null: whole files, of whatever length. */
    byteLength: ((id: number) => number) | null = null,
  ): Promise<ManifestHash> {
    const records = Array.from({ length: count }, (_, sampleId) => ({
      sampleId,
      location: location(sampleId),
      byteOffset: byteLength === null ? null : 0,
      byteLength: byteLength?.(sampleId) ?? null,
      decodeHint: '',
    }));
    const stored = await this.put(chunks([encodeHeader(), encodeRecords(records)]));
    return stored.hash;
  }

  async open(hash: ManifestHash): Promise<ManifestReader> {
    const bytes = this.#manifests.get(hash);
    if (bytes === undefined) {
      throw new Mx8Error('manifest_missing', `no manifest ${hash} is in the store`, { hash });
    }
    this.openReaders += 1;
    return new MemoryManifestReader(hash, bytes, this.#stamps.get(hash) ?? null, () => {
      this.openReaders -= 1;
    });
  }

  async has(hash: ManifestHash): Promise<boolean> {
    return this.#manifests.has(hash);
  }

  async put(
    canonical: AsyncIterable<Uint8Array>,
    onSpool?: (spool: ManifestSpool) => void,
  ): Promise<{ hash: ManifestHash; sampleCount: number }> {
    const parts: Uint8Array[] = [];
    onSpool?.({
      path: null,
      read: async (start, end) => Buffer.concat(parts).subarray(start, end),
      close: async () => undefined,
    });
    for await (const part of canonical) parts.push(part);
    const bytes = Buffer.concat(parts);
    const hash = manifestHash(createHash('sha256').update(bytes).digest('hex'));
    this.#manifests.set(hash, bytes);
    return { hash, sampleCount: lineStarts(bytes).length - 1 };
  }

  async stampWriter(): Promise<StampWriter> {
    const added: (FileStamp | null)[] = [];
    return {
      path: null,
      add: (stamp) => void added.push(stamp),
      read: (start, end) => columnsOf(added.slice(start, end)),
      keep: async (hash) => {
        if (added.some((stamp) => stamp !== null)) this.#stamps.set(hash, added);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async current(base: string): Promise<CurrentSnapshot | null> {
    const hash = this.#current.get(base);
    return hash === undefined ? null : { hash, sinceUnixMs: null };
  }

  async setCurrent(base: string, hash: ManifestHash): Promise<void> {
    this.#current.set(base, hash);
  }

  async withLock<T>(
    base: string,
    signal: AbortSignal | undefined,
    body: () => Promise<T>,
  ): Promise<T> {
    const before = this.#locks.get(base) ?? Promise.resolve();
    const turn = before.then(async () => {
      signal?.throwIfAborted();
      return body();
    });
    // Whoever waits next waits for this one, however it ends.
    this.#locks.set(
      base,
      turn.then(
        () => undefined,
        () => undefined,
      ),
    );
    return turn;
  }
}

class MemoryManifestReader implements ManifestReader {
  readonly hash: ManifestHash;
  readonly #bytes: Uint8Array;
  readonly #lineStarts: readonly number[];
  readonly #stamps: readonly (FileStamp | null)[] | null;
  readonly #onClose: () => void;
  #isOpen = true;

  constructor(
    hash: ManifestHash,
    bytes: Uint8Array,
    stamps: readonly (FileStamp | null)[] | null,
    onClose: () => void,
  ) {
    this.hash = hash;
    this.#bytes = bytes;
    this.#lineStarts = lineStarts(bytes);
    this.#stamps = stamps;
    this.#onClose = onClose;
  }

  get sampleCount(): number {
    return this.#lineStarts.length - 1;
  }

  get manifestBytes(): number {
    return this.#bytes.length;
  }

  async *records(
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncIterable<readonly SampleRecord[]> {
    for (let at = start; at < end; at += RECORDS_PER_CHUNK) {
      signal?.throwIfAborted();
      const to = Math.min(end, at + RECORDS_PER_CHUNK);
      const records = decodeSlice(await this.sliceBytes(at, to), at);
      const stamps = await this.stamps(at, to);
      yield withPins(records, stamps?.bytes ?? [], stamps?.mtimesMs ?? []);
    }
  }

  async *tables(start: number, end: number, signal?: AbortSignal): AsyncIterable<RecordTable> {
    for (let at = start; at < end; at += RECORDS_PER_CHUNK) {
      signal?.throwIfAborted();
      const to = Math.min(end, at + RECORDS_PER_CHUNK);
      const table = decodeTable(await this.sliceBytes(at, to), at, to);
      const stamps = await this.stamps(at, to);
      yield table.withPins(
        stamps?.bytes ?? [],
        isUrl(table.location(0)) ? (stamps?.mtimesMs ?? null) : null,
      );
    }
  }

  async sliceBytes(start: number, end: number): Promise<Uint8Array> {
    assert(this.#isOpen, 'a closed reader is not read');
    const [from, to] = [this.#lineStarts[start], this.#lineStarts[end]];
    assert(from !== undefined && to !== undefined, `[${start}, ${end}) lies in the manifest`);
    return this.#bytes.subarray(from, to);
  }

  async stamps(start: number, end: number): Promise<FileStamps | null> {
    if (this.#stamps === null) return null;
    return columnsOf(this.#stamps.slice(start, end));
  }

  async range(start: number, end: number): Promise<Uint8Array> {
    assert(this.#isOpen, 'a closed reader is not read');
    return this.#bytes.subarray(start, end);
  }

  async *bytes(chunkBytes: number): AsyncIterable<Uint8Array> {
    for (let at = 0; at < this.#bytes.length; at += chunkBytes) {
      yield this.#bytes.subarray(at, at + chunkBytes);
    }
  }

  async close(): Promise<void> {
    if (this.#isOpen) this.#onClose();
    this.#isOpen = false;
  }
}

function columnsOf(stamps: readonly (FileStamp | null)[]): FileStamps {
  return {
    bytes: Float64Array.from(stamps, (stamp) => stamp?.bytes ?? -1),
    mtimesMs: Float64Array.from(stamps, (stamp) => stamp?.mtimeMs ?? -1),
  };
}

async function* chunks(parts: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

/** Where the line of each sample starts, after the header, and at last where the bytes end. */
function lineStarts(bytes: Uint8Array): number[] {
  const NEWLINE = 10;
  const starts: number[] = [];
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
    starts.push(at + 1);
  }
  return starts;
}
