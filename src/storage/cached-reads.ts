/**
 * Whether shards are read as fast as memory is copied. Only then may the thread that asks for a batch
 * read it itself again and again: from a disk, several reads at a time are faster, and nothing else runs
 * in the thread meanwhile.
 */
import { Distrust } from './distrust.ts';
import { GIVE_UP_MS } from './short-reads.ts';

/** A call, and the thread standing still for a moment. */
const CALL_MS = 0.1;
/** Memory is copied several times as fast, and a disk is not read through the page cache as fast. */
const CACHED_BYTES_PER_MS = 2_000_000;
/** One read counts for no more than this: on a busy machine any thread stands still now and then. */
const STRAIN_MAX = 3;
/** Weight of the newest read in the mean: four slow ones are the end of it. */
const NEWEST_WEIGHT = 0.1;

export class CachedReads {
  /** How long reads took, in terms of what they may take. */
  #strain: number = 0;
  readonly #distrust: Distrust = new Distrust();

  /** A read of `bytes` was made here and took `ms`. */
  made(bytes: number, ms: number): void {
    const strain = Math.min(STRAIN_MAX, ms / (CALL_MS + bytes / CACHED_BYTES_PER_MS));
    this.#strain += (strain - this.#strain) * NEWEST_WEIGHT;
    if (this.#strain < 1 && ms < GIVE_UP_MS) this.#distrust.pleased();
    else {
      this.#strain = 0;
      this.#distrust.disappointed();
    }
  }

  /** A read was made elsewhere. */
  passed(): void {
    this.#distrust.passed();
  }

  /** False for a while after a disappointment. */
  get isTrusting(): boolean {
    return this.#distrust.isOver;
  }
}
