/**
 * Texts that lie in the bytes of a manifest, made into strings when somebody wants them. Most locations
 * of packed shards are the same as the one before, and most hints are looked at by nobody.
 */

/** Up to so many bytes are decoded for one that is wanted: it is that much quicker. */
const WHOLE_BYTES_PER_TEXT_BYTE = 8;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class Texts {
  /** Whether all bytes are; told once it is known, before any text is asked for. */
  isAscii: boolean = false;
  readonly #bytes: Uint8Array;
  /** All bytes as one string, whose parts cost next to nothing. */
  #whole: string | null = null;
  #looked: { readonly part: string; readonly holds: boolean } | null = null;
  /** Of all texts together. */
  #textBytes: number = 0;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #strings: (string | undefined)[];

  /** `bytes` must be UTF-8 and stay as they are. */
  constructor(bytes: Uint8Array, strings: readonly string[] = []) {
    this.#bytes = bytes;
    this.#strings = [...strings];
  }

  static of(strings: readonly string[]): Texts {
    return new Texts(new Uint8Array(0), strings);
  }

  get count(): number {
    return this.#strings.length;
  }

  /** Adds bytes [start, end) as the last text. */
  add(start: number, end: number): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#strings.push(undefined);
    this.#textBytes += end - start;
  }

  /** Adds bytes [start, end) as the last text and answers true, unless the last one is the same. */
  addUnlessSame(start: number, end: number): boolean {
    const last = this.#strings.length - 1;
    if (last !== -1 && this.#isSame(last, start, end)) return false;
    this.add(start, end);
    return true;
  }

  /**
   * False: none of them has `part` in it. Asked once the texts are complete, the answer is kept for the next one
   * who asks for the same; looking through all bytes at once is that much quicker than making strings of them.
   */
  mayHold(part: string): boolean {
    if (this.#looked?.part !== part) {
      const { buffer, byteOffset, byteLength } = this.#bytes;
      const isInBytes = Buffer.from(buffer, byteOffset, byteLength).includes(part);
      const holds = isInBytes || this.#strings.some((text) => text?.includes(part) === true);
      this.#looked = { part, holds };
    }
    return this.#looked.holds;
  }

  text(index: number): string {
    return (this.#strings[index] ??= this.#decode(index));
  }

  #decode(index: number): string {
    const start = this.#starts[index] ?? 0;
    const end = this.#ends[index] ?? 0;
    // In other bytes a position is not that of a character, and few texts are made one by one.
    const isWorthWhile = this.#textBytes > this.#bytes.length / WHOLE_BYTES_PER_TEXT_BYTE;
    if (!this.isAscii || !isWorthWhile) return decoder.decode(this.#bytes.subarray(start, end));
    this.#whole ??= decoder.decode(this.#bytes);
    return this.#whole.slice(start, end);
  }

  /** Compared from the end, where paths differ. */
  #isSame(index: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const otherStart = this.#starts[index] ?? 0;
    let other = this.#ends[index] ?? 0;
    if (other - otherStart !== end - start) return false;
    for (let at = end; at > start;) {
      at -= 1;
      other -= 1;
      if (bytes[at] !== bytes[other]) return false;
    }
    return true;
  }
}
