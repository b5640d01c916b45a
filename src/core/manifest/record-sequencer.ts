/**
 * Puts records in the order of their ids. A record whose turn it is passes at once; the others are
 * held until theirs comes. So a manifest in order costs nothing, and one in disorder costs what its
 * disorder is, up to `MANIFEST_HELD_BYTES_MAX`.
 */
import { MANIFEST_HELD_BYTES_MAX } from './limits.ts';
import { lineError } from './line-error.ts';
import type { SampleRecord } from './record.ts';

/** What an object, its place in the map and the headers of its strings take besides characters. */
const RECORD_OVERHEAD_BYTES = 160;

interface Held {
  readonly record: SampleRecord;
  readonly line: number;
}

export class RecordSequencer {
  readonly #source: string;
  readonly #heldBytesMax: number;
  readonly #held = new Map<number, Held>();
  #heldBytes = 0;
  #next = 0;

  constructor(source: string, heldBytesMax: number = MANIFEST_HELD_BYTES_MAX) {
    this.#source = source;
    this.#heldBytesMax = heldBytesMax;
  }

  /** Number of records passed on so far, which is also the id that comes next. */
  get nextId(): number {
    return this.#next;
  }

  /** Adds to `ready` the records whose turn has come with this one. */
  add(record: SampleRecord, line: number, ready: SampleRecord[]): void {
    if (record.sampleId !== this.#next) {
      this.#hold(record, line);
      return;
    }
    ready.push(record);
    this.#next += 1;
    if (this.#held.size > 0) this.#release(ready);
  }

  /** Refuses a gap: records are held that no turn came for. */
  finish(): void {
    let first: Held | null = null;
    for (const held of this.#held.values()) {
      if (first === null || held.record.sampleId < first.record.sampleId) first = held;
    }
    if (first === null) return;
    throw lineError(
      this.#source,
      first.line,
      `sample_id ${first.record.sampleId} follows on ${this.#next === 0 ? 'nothing' : this.#next - 1}; ` +
        `no line has the sample_id ${this.#next}, and ids run 0, 1, 2, … without gaps`,
    );
  }

  #hold(record: SampleRecord, line: number): void {
    const earlier = this.#held.get(record.sampleId);
    if (record.sampleId < this.#next || earlier !== undefined) {
      const where = earlier === undefined ? 'an earlier line' : `line ${earlier.line}`;
      const what = `the sample_id ${record.sampleId} is on ${where} already`;
      throw lineError(this.#source, line, what);
    }
    this.#held.set(record.sampleId, { record, line });
    this.#heldBytes += heldBytes(record);
    if (this.#heldBytes > this.#heldBytesMax) {
      const what =
        `${this.#held.size} records stand before sample_id ${this.#next}, more than fit into ` +
        `${this.#heldBytesMax} bytes; sort the manifest by sample_id first (sort -n)`;
      throw lineError(this.#source, line, what);
    }
  }

  #release(ready: SampleRecord[]): void {
    for (;;) {
      const held = this.#held.get(this.#next);
      if (held === undefined) return;
      this.#held.delete(this.#next);
      this.#heldBytes -= heldBytes(held.record);
      ready.push(held.record);
      this.#next += 1;
    }
  }
}

/** An upper estimate: strings with characters beyond Latin-1 take two bytes each. */
function heldBytes(record: SampleRecord): number {
  return RECORD_OVERHEAD_BYTES + 2 * (record.location.length + record.decodeHint.length);
}
