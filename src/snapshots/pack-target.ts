/** Where a packed data set is written to: a folder, or a prefix of a store. */
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';

export interface PackFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Everything is durable, if not yet in its place. */
  finish(): Promise<void>;
  /** Gives it up, unless it is finished. */
  abandon(): Promise<void>;
}

export type MetaName = 'labels.tsv' | 'manifest.tsv';

export interface PackTarget {
  /** Canonical path or location of the data set: a link to it. */
  readonly root: string;
  /** Where a shard will be when all is done; this is what the manifest says. */
  shardLocation(shard: string): string;
  openShard(shard: string): Promise<PackFile>;
  openMeta(name: MetaName): Promise<PackFile>;
  /** Everything that was written and finished is in its place, the manifest last. */
  publish(): Promise<void>;
  /** Removes what was written. What cannot be removed does not look finished. */
  abandon(): Promise<void>;
}

export interface PackTargetPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export const PACKING_LOCK = 'packing.lock';
