import type { ManifestHash } from '../core/base/units.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

/** A pinned manifest, opened for reading. Slices are read without holding the rest. */
export interface ManifestReader {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  /** Size of the canonical bytes. */
  readonly manifestBytes: number;
  /** Records [start, end) in id order, in chunks of bounded size. */
  records(start: number, end: number, signal?: AbortSignal): AsyncIterable<readonly SampleRecord[]>;
  /** The canonical bytes of records [start, end) only, without the header line. */
  sliceBytes(start: number, end: number): Promise<Uint8Array>;
  /** All canonical bytes, in chunks of about `chunkBytes`. */
  bytes(chunkBytes: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Immutable manifests by hash, and which of them is current for a link's base. */
export interface ManifestStore {
  /** Opens and checks the manifest; refuses bytes that do not hash to the name. */
  open(hash: ManifestHash): Promise<ManifestReader>;
  has(hash: ManifestHash): Promise<boolean>;
  /** Stores canonical bytes atomically and durably; returns their hash and number of samples. */
  put(canonical: AsyncIterable<Uint8Array>): Promise<{ hash: ManifestHash; sampleCount: number }>;
  current(base: string): Promise<ManifestHash | null>;
  /** Makes `hash` current for `base`. Call it under `withLock`. */
  setCurrent(base: string, hash: ManifestHash): Promise<void>;
  /** Runs `body` while holding the lock of `base`; two resolvers racing end with one snapshot. */
  withLock<T>(base: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T>;
}
