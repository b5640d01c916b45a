/**
 * Where a packed data set is written to: a folder, or a prefix of a store. A target is claimed for one packer at a
 * time. Beside the output it keeps, until that is finished, the plan and the list of the input, and it knows of each
 * shard whether it is finished: what an interrupted packer leaves is a plan with some finished shards.
 */
import type { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';

export interface PackFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Everything is durable, if not yet in its place. */
  finish(): Promise<void>;
  /** Gives it up, unless it is finished. */
  abandon(): Promise<void>;
}

export interface PackShard {
  /**
   * The bytes from `index * partBytes` on; all parts but the last are that long, and they come in order, several at a
   * time. The memory is the shard's until the promise settles.
   */
  put(index: number, bytes: Uint8Array): Promise<void>;
  /** All parts are there. It is durable under its name, and stays finished whatever happens now. */
  finish(): Promise<void>;
  /** Gives it up, unless it is finished. No part is on its way any more. */
  abandon(): Promise<void>;
}

export interface ShardFacts {
  readonly name: string;
  readonly bytes: number;
}

export type MetaName = 'labels.tsv' | 'manifest.tsv';

export interface PackTarget {
  /** Canonical path or location of the data set: a link to it. */
  readonly root: string;
  /** What an interrupted pack was to do; null where there was none. */
  readonly plan: string | null;
  /** How errors name the plan, and the list of the input. */
  readonly planName: string;
  readonly listName: string;
  /** What it takes of one shard. */
  readonly partsMax: number;
  /** Whether that pack was interrupted when all was in its place, and only its own things were to be removed. */
  readonly isPublished: boolean;
  /** What is to be said where it was, and something else is wanted. */
  readonly occupied: Mx8Error;
  /** Where a shard will be when all is done; this is what the manifest says. */
  shardLocation(shard: string): string;
  /** Removes what an interrupted pack left. */
  clear(): Promise<void>;
  openList(): Promise<PackFile>;
  readList(signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
  /** The list is finished. From here on the pack can be gone on with. */
  recordPlan(plan: string): Promise<void>;
  /**
   * Shards are made by this plan from here on; which of them are finished. Whatever else an interrupted
   * pack left in their place is removed.
   */
  begin(planId: string, shards: readonly ShardFacts[], look: Look): Promise<ReadonlySet<string>>;
  /** `partBytes`: of every part but its last. */
  openShard(shard: ShardFacts, partBytes: number): PackShard;
  openMeta(name: MetaName): Promise<PackFile>;
  /** Everything that was written and finished is in its place, the manifest last. */
  publish(): Promise<void>;
  /** Gives the target back, for another packer to go on. */
  leave(): Promise<void>;
  /** Removes what was written, and gives the target back. What cannot be removed does not look finished. */
  abandon(): Promise<void>;
}

/** Looking at finished shards takes a while. */
export interface Look {
  readonly signal: AbortSignal | undefined;
  readonly onShards: (shards: number) => void;
}

export interface PackTargetPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export const PACKING_LOCK = 'packing.lock';
/** Below `_mx8`: what a packer keeps for itself, and removes at the end. */
export const PACKING = 'packing';
export const PACKING_PLAN = 'plan.json';
export const PACKING_LIST = 'input.jsonl';
