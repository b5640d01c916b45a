/**
 * Memory for the columns of a group of rows, used again for the next group: memory that the system gives anew costs
 * more than the decoding that goes into it. What is not needed any more is given back at once, and not when it is
 * collected, for the same reason: what asks for as much next gets the same memory, which the processor may still have.
 */

/** Sizes are rounded up to this, so that groups of about the same size fit into each other's memory. */
const STEP_BYTES: number = 64 * 1024;

export class ColumnMemory {
  #check: (bytes: number) => void = () => undefined;
  #free: ArrayBuffer[] = [];
  #used: ArrayBuffer[] = [];
  #kept: ArrayBuffer[] = [];
  #bytes: number = 0;

  /**
   * For another group: nobody reads what was taken any more, and what was not used since the last time is let go.
   * `check` is asked before memory is taken, with all that this group has then; it throws where that is too much.
   */
  begin(check: (bytes: number) => void): void {
    this.#check = check;
    this.#bytes = 0;
    for (const buffer of [...this.#free, ...this.#kept]) buffer.transfer(0);
    this.#free = this.#used;
    this.#used = [];
    this.#kept = [];
  }

  /** Gives everything back: nobody reads what was taken any more. */
  clear(): void {
    for (const buffer of [...this.#free, ...this.#used, ...this.#kept]) buffer.transfer(0);
    this.#free = [];
    this.#used = [];
    this.#kept = [];
  }

  /** Memory that was not taken from here, and that columns of this group are in now. */
  keep(bytes: Uint8Array): void {
    const buffer = ownBuffer(bytes);
    if (buffer !== null && !this.#kept.includes(buffer)) this.#kept.push(buffer);
  }

  /** Gives such memory back, which nobody reads any more, unless it is kept. */
  giveBack(bytes: Uint8Array): void {
    const buffer = ownBuffer(bytes);
    if (buffer !== null && !this.#kept.includes(buffer)) buffer.transfer(0);
  }

  /** At a multiple of 8; what is in them is anything. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    this.#bytes += bytes;
    this.#check(this.#bytes);
    // What would waste more than half of itself is left for others.
    const fits = ({ byteLength }: ArrayBuffer): boolean =>
      byteLength >= bytes && byteLength <= 2 * bytes + STEP_BYTES;
    const index = this.#free.findIndex(fits);
    const [found] = index === -1 ? [] : this.#free.splice(index, 1);
    const buffer = found ?? new ArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
    this.#used.push(buffer);
    return new Uint8Array(buffer, 0, bytes);
  }
}

/** Null for what may share its memory (Node cuts small buffers from one that is more than twice as large), and what is small. */
function ownBuffer({ buffer, length }: Uint8Array): ArrayBuffer | null {
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength <= 2 * length;
  return isOwn && length >= STEP_BYTES ? buffer : null;
}
