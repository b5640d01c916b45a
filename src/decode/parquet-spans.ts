/**
 * Columns of a row group that lie close together are read at once: another request to a store, or another turn of
 * Node's threads, takes longer than to read what lies between them.
 */
import { SPAN_BYTES_MAX, SPAN_GAP_BYTES } from './limits.ts';

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a range of a file is in once it is read. */
export interface BytesIn {
  readonly bytes: Uint8Array;
  /** All that was read with it, which others may be in as well. */
  readonly whole: Uint8Array;
}

export class Span {
  readonly start: number;
  readonly end: number;
  #reading: Promise<Uint8Array> | null = null;
  /** Of its ranges, how many are still to be done with. */
  #users: number;

  constructor({ start, end }: ByteRange, users: number) {
    this.start = start;
    this.end = end;
    this.#users = users;
  }

  /** What taking one of its ranges reads: all of it, or nothing more where that is read already, or being read. */
  get bytesToRead(): number {
    return this.#reading === null ? this.end - this.start : 0;
  }

  /** One of its ranges is done with. True: nobody needs what was read any more. */
  doneWithOne(): boolean {
    this.#users -= 1;
    return this.#users === 0;
  }

  /** Of one of its ranges. What failed is read again when somebody asks again. */
  async take(
    { start, end }: ByteRange,
    read: (at: number, bytes: number) => Promise<Uint8Array>,
  ): Promise<BytesIn> {
    this.#reading ??= read(this.start, this.end - this.start);
    const reading = this.#reading;
    try {
      const whole = await reading;
      const bytes = whole.subarray(start - this.start, end - this.start);
      return { bytes, whole };
    } catch (error) {
      if (this.#reading === reading) this.#reading = null;
      throw error;
    }
  }
}

/** One for each range, which ranges that lie close together share. */
export function spansOf(ranges: readonly ByteRange[]): ReadonlyMap<ByteRange, Span> {
  const spans = new Map<ByteRange, Span>();
  const close = (run: readonly ByteRange[]): void => {
    const start = Math.min(...run.map((range) => range.start));
    const end = Math.max(...run.map((range) => range.end));
    const span = new Span({ start, end }, run.length);
    for (const range of run) spans.set(range, span);
  };
  let run: ByteRange[] = [];
  let [start, end] = [0, 0];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const isNear = range.start - end <= SPAN_GAP_BYTES && range.end - start <= SPAN_BYTES_MAX;
    if (run.length > 0 && !isNear) {
      close(run);
      run = [];
    }
    if (run.length === 0) [start, end] = [range.start, range.end];
    end = Math.max(end, range.end);
    run.push(range);
  }
  if (run.length > 0) close(run);
  return spans;
}
