/**
 * Where in a slab samples start. How fast a processor copies depends on how source and destination lie to each
 * other: where they differ by a few bytes modulo 4096 at less than half of its speed, and on some processors by
 * a seventh faster where the destination is an odd multiple of 16 bytes. Where a slab's own memory begins
 * nobody can say here. So each start is tried a few times, and the best is kept until all are tried again.
 */
import { SECTOR_BYTES } from './limits.ts';

/** One of each kind, whatever the slab begins with; the first one is right for most where nothing is known. */
const STARTS_BYTES = [240, 224, 352, 336] as const;
/** So often is each tried; the quickest read of it counts, as any read can be held up. */
const TRIES = 6;
/** Reads between two trials: at first, and at most after it doubled each time that nothing came of one. */
const KEPT_READS = 256;
const KEPT_READS_MAX = 8192;
/** Another start must be so much better. */
const GAIN = 1.03;

export class SlabStart {
  #kept: number = 0;
  #isTrial: boolean = true;
  #reads: number = 0;
  #keptReads: number = KEPT_READS;
  /** The quickest read from each start in this trial. */
  readonly #least: number[] = STARTS_BYTES.map(() => Infinity);

  /** For a first sample at this offset of its file; -1 is the whole file. */
  startBytes(firstOffset: number): number {
    const intoSector = Math.max(0, firstOffset) % SECTOR_BYTES;
    const start = STARTS_BYTES[this.#current] ?? 0;
    return (Math.ceil(intoSector / 16) * 16 + start) % SECTOR_BYTES;
  }

  /** The slab was filled from the start it was last asked for, in this time for a byte. */
  observe(cost: number): void {
    const start = this.#current;
    this.#least[start] = Math.min(this.#least[start] ?? Infinity, cost);
    this.#reads += 1;
    if (this.#isTrial && this.#reads === STARTS_BYTES.length * TRIES) this.#choose();
    else if (!this.#isTrial && this.#reads === this.#keptReads) this.#tryAll();
  }

  get #current(): number {
    return this.#isTrial ? this.#reads % STARTS_BYTES.length : this.#kept;
  }

  #choose(): void {
    const best = this.#least.indexOf(Math.min(...this.#least));
    const isBetter = (this.#least[best] ?? Infinity) * GAIN < (this.#least[this.#kept] ?? Infinity);
    this.#keptReads = isBetter ? KEPT_READS : Math.min(KEPT_READS_MAX, this.#keptReads * 2);
    if (isBetter) this.#kept = best;
    this.#isTrial = false;
    this.#reads = 0;
  }

  #tryAll(): void {
    this.#least.fill(Infinity);
    this.#isTrial = true;
    this.#reads = 0;
  }
}
