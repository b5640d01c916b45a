/** Where the rows of the manifest come from: the coordinator, or a copy in a file. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId, ManifestHash } from '../core/base/units.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';

/** A manifest of which slices can be read; the whole of it is never held. */
export interface ManifestSource {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  /** For the reader: "the coordinator", or the path of the file. */
  readonly origin: string;
  rows(start: number, end: number, signal: AbortSignal): Promise<readonly SampleRecord[]>;
}

/** A copy of the manifest that the operator named. */
export interface ManifestFile {
  readonly path: string;
  /** Reads it once to check it and to note where its rows are; `onProgress` gets 0 to 1. */
  open(onProgress: (fraction: number) => void, signal: AbortSignal): Promise<ManifestReader>;
}

/** What of a job's snapshot says which manifest it reads. */
export interface ManifestOfJob {
  readonly jobId: JobId;
  readonly manifestHash: ManifestHash;
  readonly sampleCount: number;
}

export function coordinatorSource(
  client: Pick<CoordinatorClient, 'manifestRecords'>,
  job: ManifestOfJob,
): ManifestSource {
  const { jobId, manifestHash, sampleCount } = job;
  return {
    hash: manifestHash,
    sampleCount,
    origin: 'the coordinator',
    rows: (start, end, signal) => client.manifestRecords(jobId, manifestHash, start, end, signal),
  };
}

export function fileSource(reader: ManifestReader, path: string): ManifestSource {
  return {
    hash: reader.hash,
    sampleCount: reader.sampleCount,
    origin: path,
    async rows(start, end, signal) {
      const rows: SampleRecord[] = [];
      for await (const chunk of reader.records(start, end, signal)) {
        for (const record of chunk) rows.push(record);
      }
      return rows;
    },
  };
}

/** A sentence when the manifest is not the one that is wanted; '' when all agree. */
export function manifestMismatch(
  source: ManifestSource,
  job: ManifestOfJob | null,
  wanted: ManifestHash | null,
): string {
  if (wanted !== null && source.hash !== wanted) {
    return `--manifest-hash says ${wanted}, but ${source.origin} has ${source.hash}.`;
  }
  if (job !== null && source.hash !== job.manifestHash) {
    return `Job ${job.jobId} reads manifest ${job.manifestHash}, but ${source.origin} has ${source.hash}.`;
  }
  return '';
}

export interface ManifestChoice {
  readonly client: Pick<CoordinatorClient, 'manifestRecords'>;
  /** Null: the coordinator is asked. */
  readonly file: ManifestFile | null;
  /** The hash that the operator expects; null for whatever the job reads. */
  readonly wantedHash: ManifestHash | null;
}

/**
 * Opens what the operator chose. Where the coordinator serves another manifest than the expected one
 * that is an error; a file is opened all the same, see `manifestMismatch`.
 */
export async function openSource(
  { client, file, wantedHash }: ManifestChoice,
  job: ManifestOfJob,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<ManifestSource> {
  if (file !== null) return fileSource(await file.open(onProgress, signal), file.path);
  const source = coordinatorSource(client, job);
  const mismatch = manifestMismatch(source, job, wantedHash);
  if (mismatch !== '') throw new Mx8Error('manifest_missing', mismatch);
  return source;
}

/** Why the manifest cannot be shown, with the way round where there is one. */
export function manifestFailure(error: unknown, isFile: boolean): string {
  if (!(error instanceof Mx8Error)) throw error;
  const cause = `${error.message} [${error.code}]`;
  return isFile ? cause : `${cause}; show a local copy meanwhile with --manifest-path FILE`;
}
