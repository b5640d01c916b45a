import type { JobId, ManifestHash } from '../core/base/units.ts';

/** Canonical lines of samples that follow each other, as a coordinator keeps them. */
export interface ManifestSlice {
  readonly lines: Uint8Array;
  /** Size of each loose file when it was pinned, 0 where it is no whole file; empty: nothing is known. */
  readonly pinnedBytes: readonly number[];
  /** `etagTag` of each object of a store when it was pinned, as many as sizes; 0 where it is none. */
  readonly pinnedTags: readonly number[];
}

/** One coordinator, asked for its copy of a manifest. Who takes it checks the hash. */
export interface ManifestReplica {
  readonly name: string;
  slice(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<ManifestSlice>;
}
