/**
 * A running hash of what is listed: locations, and of each file its size, in a store its ETag too. In which pieces
 * the listing comes makes no difference.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';

import type { FollowedLines } from '../snapshots/index.ts';

export class ListingDigest {
  readonly #lines: Hash = createHash('sha256');
  readonly #sizes: Hash = createHash('sha256');
  readonly #tags: Hash = createHash('sha256');
  #samples = 0;

  get samples(): number {
    return this.#samples;
  }

  add({ bytes, count, stamps, isInStore }: FollowedLines): void {
    this.#lines.update(bytes);
    this.#sizes.update(stamps?.bytes ?? unknown(count));
    // Of files of this machine it is a time, which a copy of the same files does not have.
    this.#tags.update((isInStore ? stamps?.mtimesMs : null) ?? unknown(count));
    this.#samples += count;
  }

  /** Of what came so far. */
  hex(): string {
    const all = createHash('sha256');
    for (const part of [this.#lines, this.#sizes, this.#tags]) all.update(part.copy().digest());
    return all.digest('hex');
  }
}

function unknown(count: number): Float64Array {
  return new Float64Array(count).fill(-1);
}
