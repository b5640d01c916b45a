import { constants } from 'node:fs';
import { dirname } from 'node:path';

import { must } from '../core/base/assert.ts';

/** Without waiting for a writer should the path name a pipe. */
export const OPEN_FLAGS: number = constants.O_RDONLY | constants.O_NONBLOCK;

/** Shards open at a time beyond those being read; well below the usual limit of 1024 descriptors. */
const IDLE_SHARDS_MAX = 16;

interface OpenShard {
  readonly fd: number;
  /** On a disk of this machine: a read of it cannot hang on a network. */
  readonly isHere: boolean;
  users: number;
}

/** Descriptors of shards, shared by jobs and kept open for the next batch; the longest idle go first. */
export class OpenShards {
  readonly #shards: Map<string, OpenShard> = new Map();
  /** The last one in their order. */
  #newest: string = '';
  /** Folders of shards that were found to be here. */
  readonly #foldersHere: Set<string> = new Set();

  /** The descriptor, to be given back; null when the shard is not open. */
  acquire(path: string): number | null {
    const shard = this.#shards.get(path);
    if (shard === undefined) return null;
    shard.users += 1;
    return shard.fd;
  }

  /**
   * Another job may have opened the same shard meanwhile: answers the descriptor to use, and the one
   * to close.
   */
  opened(
    path: string,
    fd: number,
    isHere: boolean,
  ): { readonly fd: number; readonly surplus: number | null } {
    const existing = this.acquire(path);
    if (existing !== null) return { fd: existing, surplus: fd };
    this.#shards.set(path, { fd, isHere, users: 1 });
    this.#newest = path;
    if (isHere) this.#foldersHere.add(dirname(path));
    return { fd, surplus: null };
  }

  isOpenHere(path: string): boolean {
    return this.#shards.get(path)?.isHere === true;
  }

  /** Whether it is not open, and a shard of the same folder was here. A link may still lead elsewhere. */
  isNewBesideOneHere(path: string): boolean {
    return !this.#shards.has(path) && this.#foldersHere.has(dirname(path));
  }

  /** Answers a descriptor that is to be closed now, if any. */
  giveBack(path: string): number | null {
    const shard = must(this.#shards.get(path), 'a shard given back is open');
    shard.users -= 1;
    // The one given back last is the newest in the order of eviction; as a rule it is that already.
    if (path !== this.#newest) {
      this.#shards.delete(path);
      this.#shards.set(path, shard);
      this.#newest = path;
    }
    if (this.#shards.size <= IDLE_SHARDS_MAX) return null;
    for (const [idlePath, idle] of this.#shards) {
      if (idle.users > 0) continue;
      this.#shards.delete(idlePath);
      return idle.fd;
    }
    return null;
  }

  /** Every descriptor, for closing; none may be in use. */
  drain(): readonly number[] {
    const all = [...this.#shards.values()].map(({ fd }) => fd);
    this.#shards.clear();
    return all;
  }
}
