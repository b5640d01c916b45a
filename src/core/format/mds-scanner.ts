/**
 * Samples of a MosaicML shard: their number, where each starts and the last ends, as 32-bit numbers, then a
 * description, then the samples.
 */
import { FormatError } from './format-error.ts';
import { MDS_SAMPLES_MAX } from './limits.ts';
import { RunningChecksum } from './scanner.ts';
import type { Checksum, FoundSample, SampleScanner } from './scanner.ts';

const NUMBER_BYTES = 4;

export interface MdsExpectation {
  readonly hint: string;
  readonly samples: number;
  readonly rawBytes: number;
}

export class MdsScanner implements SampleScanner {
  position: number = 0;
  readonly #expected: MdsExpectation;
  readonly #isChecked: boolean;
  readonly #checksum: RunningChecksum;
  #head: Uint8Array = new Uint8Array(NUMBER_BYTES);
  #count = -1;
  /** The next sample that is to be found. */
  #next = 0;

  constructor(expected: MdsExpectation, checksum: Checksum | null) {
    this.#expected = expected;
    this.#isChecked = checksum !== null;
    this.#checksum = new RunningChecksum(checksum);
  }

  get indifferentBytes(): number {
    return this.#count >= 0 && this.position >= this.#head.length ? Infinity : 0;
  }

  push(chunk: Uint8Array, found: FoundSample[]): void {
    let from = 0;
    while (from < chunk.length && this.position < this.#head.length) {
      const bytes = chunk.subarray(from, from + this.#head.length - this.position);
      this.#head.set(bytes, this.position);
      this.position += bytes.length;
      from += bytes.length;
      if (this.position < this.#head.length) return;
      if (this.#count === -1) this.#readCount();
      else this.#checkTable();
    }
    if (this.#count === -1 || this.position < this.#head.length) return;
    if (this.#isChecked) this.#pass(chunk.subarray(from), found);
    else {
      while (this.#next < this.#count) this.#find(found, 0);
      this.position += chunk.length - from;
    }
  }

  finish(): void {
    const { rawBytes } = this.#expected;
    if (this.position !== rawBytes) {
      const what = `the shard has ${this.position} bytes, and index.json says ${rawBytes}`;
      throw new FormatError(what, this.position);
    }
    if (this.#count >= 0 && this.position >= this.#head.length) return;
    throw new FormatError('the shard ends before its table of samples does', this.position);
  }

  skip(bytes: number): void {
    this.position += bytes;
  }

  #readCount(): void {
    const count = this.#number(0);
    const { samples } = this.#expected;
    if (count !== samples) {
      const what = `the shard says it has ${count} samples, and index.json says ${samples}`;
      throw new FormatError(what, 0);
    }
    if (count > MDS_SAMPLES_MAX) {
      const what = `the shard says it has ${count} samples; at most ${MDS_SAMPLES_MAX} are read`;
      throw new FormatError(what, 0);
    }
    this.#count = count;
    const head = new Uint8Array((count + 2) * NUMBER_BYTES);
    head.set(this.#head);
    this.#head = head;
  }

  #checkTable(): void {
    let before = this.#head.length;
    for (let at = 0; at <= this.#count; at += 1) {
      const start = this.#startOf(at);
      if (start < before || (start === before && at > 0)) {
        const what = `sample ${at} is said to start at byte ${start}, which is not behind byte ${before}`;
        throw new FormatError(what, (at + 1) * NUMBER_BYTES);
      }
      before = start;
    }
    const { rawBytes } = this.#expected;
    if (before === rawBytes) return;
    const what = `the samples are said to end at byte ${before}, and index.json says that the shard has ${rawBytes} bytes`;
    throw new FormatError(what, (this.#count + 1) * NUMBER_BYTES);
  }

  /** Bytes behind the table, with their checksums. */
  #pass(chunk: Uint8Array, found: FoundSample[]): void {
    for (let from = 0; from < chunk.length;) {
      if (this.#next >= this.#count) {
        this.position += chunk.length - from;
        return;
      }
      const start = this.#startOf(this.#next);
      const isBefore = this.position < start;
      const stop = isBefore ? start : this.#startOf(this.#next + 1);
      const bytes = chunk.subarray(from, from + stop - this.position);
      if (!isBefore) this.#checksum.add(bytes);
      this.position += bytes.length;
      from += bytes.length;
      if (this.position === stop && !isBefore) this.#find(found, this.#checksum.take());
    }
  }

  #find(found: FoundSample[], checksum: number): void {
    const start = this.#startOf(this.#next);
    const end = this.#startOf(this.#next + 1);
    this.#next += 1;
    found.push({ start, end, checksum, hint: this.#expected.hint });
  }

  #startOf(sample: number): number {
    return this.#number((sample + 1) * NUMBER_BYTES);
  }

  #number(at: number): number {
    return new DataView(this.#head.buffer).getUint32(at, true);
  }
}
