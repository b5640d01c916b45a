/**
 * Whether samples that are objects, or lie in them, are still what was pinned. Each object is asked for once while
 * its samples follow each other; then everything is read, neighbours in one range, of the object that was
 * found. What is read is not kept.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { USTAR_BLOCK_BYTES } from '../core/base/ustar.ts';
import { SampleTests } from '../core/format/sample-fault.ts';
import type { SampleTest } from '../core/format/sample-fault.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { FileStamp } from '../ports/manifest-store.ts';
import type { ObjectStat, Places, RangeTarget } from '../ports/place.ts';
import { forEachBounded } from '../storage/local-output.ts';
import { VERIFY_RANGE_BYTES, VERIFY_READS_AT_ONCE } from './limits.ts';
import { hasHeader, headerDifference } from './packed-entry.ts';
import type { Difference } from './difference.ts';

export type Found = Pick<Difference, 'kind' | 'what'>;

/** What is read of a sample, with the tar header before it where there is one. */
interface Piece {
  readonly record: SampleRecord;
  readonly start: number;
  readonly end: number;
  readonly header: Uint8Array | null;
  /** What the bytes are put to; null: nothing is known of them, or they are too many to hold. */
  readonly test: SampleTest | null;
}

interface Range {
  readonly location: string;
  readonly object: ObjectStat;
  readonly pieces: readonly Piece[];
}

export class ObjectVerifier {
  bytes = 0;
  readonly #places: Places;
  readonly #tests: SampleTests = new SampleTests();
  readonly #signal: AbortSignal | undefined;
  /** Objects of the last records: null for one that differs by itself. */
  #known: Map<string, ObjectStat | Found> = new Map();

  constructor(places: Places, signal: AbortSignal | undefined) {
    this.#places = places;
    this.#signal = signal;
  }

  /** By sample id, in any order; samples that are as they were are not in it. */
  async verify(
    records: readonly SampleRecord[],
    stampOf: (sampleId: number) => FileStamp | null,
  ): Promise<ReadonlyMap<number, Found>> {
    await this.#look(records);
    const found = new Map<number, Found>();
    const pieces: Piece[] = [];
    for (const record of records) {
      const outcome = this.#outcomeOf(record, stampOf(record.sampleId));
      if ('kind' in outcome) found.set(record.sampleId, outcome);
      else pieces.push(outcome);
    }
    const ranges = [...this.#rangesOf(pieces)];
    await forEachBounded(ranges, (range) => this.#readRange(range, found), VERIFY_READS_AT_ONCE);
    return found;
  }

  /** What was known of other objects is forgotten. */
  async #look(records: readonly SampleRecord[]): Promise<void> {
    const before = this.#known;
    this.#known = new Map();
    const asked: string[] = [];
    for (const { location } of records) {
      if (this.#known.has(location)) continue;
      const known = before.get(location);
      // The place in the map is taken, so that nobody asks twice.
      this.#known.set(location, known ?? { kind: 'missing', what: '' });
      if (known === undefined) asked.push(location);
    }
    await forEachBounded(
      asked,
      async (location) => {
        this.#known.set(location, await this.#stat(location));
      },
      VERIFY_READS_AT_ONCE,
    );
  }

  async #stat(location: string): Promise<ObjectStat | Found> {
    try {
      return await this.#places.of(location).stat(location, this.#signal);
    } catch (error) {
      return foundOf(error);
    }
  }

  #outcomeOf(record: SampleRecord, stamp: FileStamp | null): Found | Piece {
    const { location, byteOffset, byteLength } = record;
    const object = this.#known.get(location);
    if (object === undefined || 'kind' in object) return object ?? { kind: 'missing', what: '' };
    const isWhole = byteOffset === null || byteLength === null;
    const end = isWhole ? object.bytes : byteOffset + byteLength;
    if (isWhole && object.bytes === 0) {
      return { kind: 'empty', what: `The object ${location} is empty.` };
    }
    if (isWhole && stamp !== null && stamp.bytes !== -1 && stamp.bytes !== object.bytes) {
      const what = `The object ${location} has ${object.bytes} bytes; it had ${stamp.bytes} when it was pinned.`;
      return { kind: 'resized', what };
    }
    if (object.bytes < end) {
      const what = `The object ${location} has ${object.bytes} bytes, but the sample ends at ${end}.`;
      return { kind: 'shorter', what };
    }
    const tag = stamp?.mtimeMs ?? 0;
    if (tag > 0 && tag !== etagTag(object.etag)) {
      const what = `The object ${location} has another ETag than when it was pinned: it was written or replaced since.`;
      return { kind: 'modified', what };
    }
    const isBehindHeader = !isWhole && hasHeader(record) && byteOffset >= USTAR_BLOCK_BYTES;
    const start = isWhole ? 0 : byteOffset - (isBehindHeader ? USTAR_BLOCK_BYTES : 0);
    const header = isBehindHeader ? new Uint8Array(USTAR_BLOCK_BYTES) : null;
    const test = end - start > VERIFY_RANGE_BYTES ? null : this.#tests.of(record);
    return { record, start, end, header, test };
  }

  /** Neighbours that follow each other without a gap of more than their padding go together. */
  *#rangesOf(pieces: readonly Piece[]): Generator<Range> {
    let open: Piece[] = [];
    const end = (): Range => {
      const [first] = open;
      const location = first?.record.location ?? '';
      const object = this.#known.get(location);
      if (object === undefined || 'kind' in object) throw new Error('only what is there is read');
      return { location, object, pieces: open };
    };
    for (const piece of pieces) {
      const [first, last] = [open[0], open.at(-1)];
      const isNext =
        first !== undefined &&
        last?.record.location === piece.record.location &&
        piece.start >= last.end &&
        piece.start - last.end < USTAR_BLOCK_BYTES &&
        piece.end - first.start <= VERIFY_RANGE_BYTES;
      if (isNext) open.push(piece);
      else {
        if (first !== undefined) yield end();
        open = [piece];
      }
    }
    if (open.length > 0) yield end();
  }

  async #readRange(range: Range, found: Map<number, Found>): Promise<void> {
    const { location, object, pieces } = range;
    const [first] = pieces;
    if (first === undefined) return;
    const pins = { pinnedTag: etagTag(object.etag), pinnedBytes: object.bytes };
    const targets: RangeTarget[] = [];
    const contents: (Uint8Array | null)[] = [];
    let at = first.start;
    for (const { start, end, header, test } of pieces) {
      if (start > at) targets.push({ bytes: start - at, into: null });
      if (header !== null) targets.push({ bytes: header.length, into: header });
      const bytes = end - start - (header?.length ?? 0);
      const content = test === null ? null : new Uint8Array(bytes);
      contents.push(content);
      targets.push({ bytes, into: content });
      at = end;
    }
    try {
      const place = this.#places.of(location);
      await place.readRange(
        location,
        { start: first.start, end: at, targets, ...pins },
        this.#signal,
      );
    } catch (error) {
      const difference = foundOf(error);
      for (const { record } of pieces) found.set(record.sampleId, difference);
      return;
    }
    for (const [index, piece] of pieces.entries()) {
      this.bytes += piece.end - piece.start - (piece.header?.length ?? 0);
      const difference = differenceOf(piece, contents[index] ?? null);
      if (difference !== null) found.set(piece.record.sampleId, difference);
    }
  }
}

function differenceOf({ record, header, test }: Piece, content: Uint8Array | null): Found | null {
  const said = header === null ? null : headerDifference(header, record);
  if (said !== null) return { kind: 'header', what: said };
  const fault = content === null || test === null ? null : test(content);
  return fault === null ? null : { kind: 'content', what: contentDifference(record, fault) };
}

/** `fault` is a clause about the bytes. */
export function contentDifference(
  { sampleId, location, byteOffset, byteLength }: SampleRecord,
  fault: string,
): string {
  return `The ${byteLength} bytes at byte ${byteOffset} of ${location} are not what sample ${sampleId} was: ${fault}.`;
}

/** What is wrong with one object is an answer; a store that cannot be reached is an error. */
export function foundOf(error: unknown): Found {
  if (!(error instanceof Mx8Error)) throw error;
  switch (error.code) {
    case 'object_missing':
      return { kind: 'missing', what: error.message };
    case 'object_changed':
      return { kind: 'modified', what: error.message };
    case 'object_denied':
    case 'object_answer_invalid':
      return { kind: 'unreadable', what: error.message };
    default:
      throw error;
  }
}
