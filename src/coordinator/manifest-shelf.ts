/**
 * The manifests of the coordinator's jobs, each opened once: opening checks every byte against the hash,
 * which for a large manifest takes seconds. There are at most as many as there are jobs: what none of them reads
 * any more is closed.
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

  /** The manifest of a job, for whoever asks for it by the right hash. Closed by the shelf only. */
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

  /** Closes those that are not among `hashes`. Whoever reads in one at this moment is refused the rest of it. */
  async keepOnly(hashes: () => ReadonlySet<ManifestHash>): Promise<void> {
    if (this.#readers.size === 0) return;
    const kept = hashes();
    await this.#closeAll([...this.#readers.keys()].filter((hash) => !kept.has(hash)));
  }

  close(): Promise<void> {
    return this.#closeAll([...this.#readers.keys()]);
  }

  async #closeAll(hashes: readonly ManifestHash[]): Promise<void> {
    const opened = hashes.flatMap((hash) => this.#readers.get(hash) ?? []);
    for (const hash of hashes) this.#readers.delete(hash);
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
    opening.catch(() => {
      if (this.#readers.get(hash) === opening) this.#readers.delete(hash);
    });
    return opening;
  }
}
