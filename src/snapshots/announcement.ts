/** Passes a listing on: to who follows it in this process, and to other processes of this machine. */
import type {
  ListingNotice,
  ManifestSpool,
  ManifestStore,
  StampWriter,
} from '../ports/manifest-store.ts';
import type { SnapshotFollower } from './snapshot-follower.ts';

export class Announcement implements AsyncDisposable {
  readonly #store: ManifestStore;
  readonly #base: string;
  readonly #follower: SnapshotFollower | null;
  #notice: ListingNotice | null = null;

  constructor(store: ManifestStore, base: string, follower: SnapshotFollower | undefined) {
    this.#store = store;
    this.#base = base;
    this.#follower = follower ?? null;
  }

  begun(spool: ManifestSpool, stamps: StampWriter): void {
    if (spool.path !== null && stamps.path !== null) {
      this.#notice = this.#store.announce?.(this.#base, spool.path, stamps.path) ?? null;
    }
    if (this.#follower !== null) this.#follower.begun(spool, stamps);
    // Others open the file themselves.
    else spool.close().catch(() => undefined);
  }

  listed(samples: number): void {
    this.#follower?.listed(samples);
    this.#notice?.listed(samples);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#notice?.end();
  }
}
