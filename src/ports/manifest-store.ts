import type { ManifestHash } from '../core/base/units.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

/** What a loose file was like when it was pinned. */
export interface FileStamp {
  readonly bytes: number;
  /**
   * When it was last modified: milliseconds since 1970, with their fraction. Of an object in a store the
   * `etagTag` of what it was then; there `bytes` is -1 for samples with a length of their own.
   */
  readonly mtimeMs: number;
}

/** The stamps of samples that follow each other; -1 where nothing is known. */
export interface FileStamps {
  readonly bytes: Float64Array;
  readonly mtimesMs: Float64Array;
}

/** Takes down what the files of a manifest are like. To be disposed of, kept or not. */
export interface StampWriter extends AsyncDisposable {
  /** Where they are on this machine, for other processes; null: nowhere. */
  readonly path: string | null;
  /** Of the next sample, in id order; null for what is no whole file of this machine. */
  add(stamp: FileStamp | null): void;
  /** What was added for samples [start, end), until the writer is disposed of; null where nothing is known. */
  read(start: number, end: number): FileStamps | null;
  /** Stores what was added with a manifest that is in the store, in place of what was there. */
  keep(hash: ManifestHash): Promise<void>;
}

/** The bytes of a manifest that is being stored. Closed by whoever was given it. */
export interface ManifestSpool {
  /** Where they are on this machine, for other processes; null: nowhere. */
  readonly path: string | null;
  /** Bytes [start, end), fewer where it has not come so far yet. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Tells other processes of this machine how far a listing has come. */
export interface ListingNotice {
  listed(samples: number): void;
  /** Takes the notice away. */
  end(): Promise<void>;
}

/** What is listed so far: the bytes of the manifest, and what its files are like. */
export interface ListedFiles {
  read(start: number, end: number): Promise<Uint8Array>;
  stamps(start: number, end: number): Promise<FileStamps | null>;
  close(): Promise<void>;
}

/** A listing that another process of this machine is taking. */
export interface AnnouncedListing {
  /** Of this one listing. */
  readonly id: string;
  /** So many are there, with their stamps. */
  readonly samples: number;
  /** Null: it has just ended. */
  open(): Promise<ListedFiles | null>;
}

/** A pinned manifest, opened for reading. Slices are read without holding the rest. */
export interface ManifestReader {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  /** Size of the canonical bytes. */
  readonly manifestBytes: number;
  /** Records [start, end) in id order, in chunks of bounded size; whole files with `pinnedBytes`. */
  records(start: number, end: number, signal?: AbortSignal): AsyncIterable<readonly SampleRecord[]>;
  /** The same as columns, for who reads the samples and not the records. */
  tables(start: number, end: number, signal?: AbortSignal): AsyncIterable<RecordTable>;
  /** The canonical bytes of records [start, end) only, without the header line. */
  sliceBytes(start: number, end: number): Promise<Uint8Array>;
  /** What the files of samples [start, end) were like when pinned; null where nobody took it down. */
  stamps(start: number, end: number): Promise<FileStamps | null>;
  /** The canonical bytes [start, end) as they are, header and all. */
  range(start: number, end: number): Promise<Uint8Array>;
  /** All canonical bytes, in chunks of about `chunkBytes`. */
  bytes(chunkBytes: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** The snapshot that plain links to a base mean. */
export interface CurrentSnapshot {
  readonly hash: ManifestHash;
  /** When it became that, by the clock of whoever keeps it: for display. Null where nobody knows. */
  readonly sinceUnixMs: number | null;
}

/** Immutable manifests by hash, and which of them is current for a link's base. */
export interface ManifestStore {
  /** Opens and checks the manifest; refuses bytes that do not hash to the name. */
  open(hash: ManifestHash): Promise<ManifestReader>;
  has(hash: ManifestHash): Promise<boolean>;
  /**
   * Stores canonical bytes atomically and durably; returns their hash and number of samples. `onSpool` is given
   * what has come so far before any has, and may go on reading there when all is stored, or has failed.
   */
  put(
    canonical: AsyncIterable<Uint8Array>,
    onSpool?: (spool: ManifestSpool) => void,
  ): Promise<{ hash: ManifestHash; sampleCount: number }>;
  stampWriter(): Promise<StampWriter>;
  current(base: string): Promise<CurrentSnapshot | null>;
  /** Makes `hash` current for `base`. Call it under `withLock`. */
  setCurrent(base: string, hash: ManifestHash): Promise<void>;
  /** Runs `body` while holding the lock of `base`; two resolvers racing end with one snapshot. */
  withLock<T>(base: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T>;
  /** Lets other processes of this machine follow the listing of `base` into these files. Call it under `withLock`. */
  announce?(base: string, spoolPath: string, stampsPath: string): ListingNotice;
  /** What a process of this machine that lives has announced. */
  announced?(base: string): Promise<AnnouncedListing | null>;
}
