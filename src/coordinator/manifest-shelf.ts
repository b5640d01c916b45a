/**
 * The manifests of the coordinator's jobs, each opened once: opening checks every byte against the hash,
 * which for a large manifest takes seconds. There are at most as many as there are jobs.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId, ManifestHash } from '../core/base/units.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import type { ManifestReader, ManifestStore } from '../ports/manifest-store.ts';

export class ManifestShelf {
  readonly #store: ManifestStore;
  readonly #readers: Map<ManifestHash, Promise<ManifestReader>> = new Map<
    ManifestHash,
    Promise<ManifestReader>
  >();

  constructor(store: ManifestStore) {
    this.#store = store;
  }

  /** The manifest of a job, for whoever asks for it by the right hash. Closed by `close` only. */
  async ofJob(jobId: JobId, spec: JobSpec | null, hash: ManifestHash): Promise<ManifestReader> {
    if (spec === null) {
      throw new Mx8Error('job_unknown', `this coordinator runs no job "${jobId}"`);
    }
    if (spec.manifestHash !== hash) {
      throw new Mx8Error(
        'manifest_missing',
        `job ${jobId} reads manifest ${spec.manifestHash}, not ${hash}`,
        { manifest_hash: hash },
      );
    }
    return this.#open(hash);
  }

  async close(): Promise<void> {
    const opened = [...this.#readers.values()];
    this.#readers.clear();
    for (const reader of await Promise.allSettled(opened)) {
      if (reader.status === 'fulfilled') await reader.value.close();
    }
  }

  #open(hash: ManifestHash): Promise<ManifestReader> {
    const known = this.#readers.get(hash);
    if (known !== undefined) return known;
    const opening = this.#store.open(hash);
    this.#readers.set(hash, opening);
    // What failed is tried again by the next who asks: the store may have been mended.
    opening.catch(() => this.#readers.delete(hash));
    return opening;
  }
}
