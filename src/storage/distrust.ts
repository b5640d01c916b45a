/** How long reads are not made here after they took too long: longer each time, forgiven after many good ones. */

/** Reads elsewhere after a disappointment, before one is made here again; doubled each time. */
const DISTRUST_READS = 64;
const DISTRUST_READS_MAX = 65_536;
/** After so many without a disappointment, the next one counts as the first. */
const FORGIVING_READS = 64;

export class Distrust {
  #left: number = 0;
  #next: number = DISTRUST_READS;
  #goodReads: number = 0;

  get isOver(): boolean {
    return this.#left === 0;
  }

  /** A read was made elsewhere. */
  passed(): void {
    if (this.#left > 0) this.#left -= 1;
  }

  /** A read was made here and all was well. */
  pleased(): void {
    this.#goodReads += 1;
    if (this.#goodReads === FORGIVING_READS) this.#next = DISTRUST_READS;
  }

  disappointed(): void {
    this.#goodReads = 0;
    this.#left = this.#next;
    this.#next = Math.min(DISTRUST_READS_MAX, this.#next * 2);
  }
}
