/**
 * Finds the samples of a shard while its bytes go by. A scanner holds the state of the sample that is
 * open and nothing of those behind it, so that a shard of any size takes the same memory.
 */

/** Goes on with a checksum over further bytes; 0 begins one. */
export type Checksum = (bytes: Uint8Array, before: number) => number;

export interface FoundSample {
  /** Bytes [start, end) of the shard as it was pushed: decompressed, if it was compressed. */
  readonly start: number;
  readonly end: number;
  /** Over those bytes; 0 where no checksum was asked for. */
  readonly checksum: number;
  /** How a sample's bytes are to be read, and its class: the decode hint. */
  readonly hint: string;
}

export interface SampleScanner {
  /**
   * Bytes from `position` on; the first time 3 at least, if there are so many. Throws `FormatError` with the position of what is wrong. What is found is
   * added to `found`.
   */
  push(chunk: Uint8Array, found: FoundSample[]): void;
  /** The end of the shard was reached. */
  finish(found: FoundSample[]): void;
  /** The position of the byte that comes next. */
  readonly position: number;
  /**
   * Bytes from `position` on that it need not see; Infinity when it has seen enough. Only who wants no
   * checksums may leave them out, with `skip`.
   */
  readonly indifferentBytes: number;
  skip(bytes: number): void;
}

/** A checksum over parts, or none. */
export class RunningChecksum {
  value: number = 0;
  readonly #checksum: Checksum | null;

  constructor(checksum: Checksum | null) {
    this.#checksum = checksum;
  }

  add(bytes: Uint8Array): void {
    if (this.#checksum !== null && bytes.length > 0) this.value = this.#checksum(bytes, this.value);
  }

  /** The value so far, and begins anew. */
  take(): number {
    const { value } = this;
    this.value = 0;
    return value;
  }
}
