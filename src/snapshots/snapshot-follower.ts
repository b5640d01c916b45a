/** Who reads a snapshot by the side of who takes it. */
import type {
  AnnouncedListing,
  ManifestReader,
  ManifestSpool,
  StampWriter,
} from '../ports/manifest-store.ts';

export interface SnapshotFollower {
  /** Another process takes the snapshot while this one waits: told again and again, as it comes on. */
  heard(listing: AnnouncedListing): void;
  /** A listing begins: its records will be in the spool, and what its files are like in the stamps. */
  begun(spool: ManifestSpool, stamps: StampWriter): void;
  /** So many records are there, with their stamps. */
  listed(samples: number): void;
  /** The manifest is stored, or was there; the follower closes the reader. */
  stored(reader: ManifestReader): void;
}
