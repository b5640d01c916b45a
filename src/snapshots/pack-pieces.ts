/**
 * Samples as the pipeline reads them for packing: each in one piece, large ones in several, so that memory does not
 * follow the largest file. What a piece is of is remembered in the order in which they are read.
 */
import { must } from '../core/base/assert.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { PackItem } from './pack-list.ts';
import type { ShardFacts } from './pack-target.ts';

export interface Piece {
  readonly sampleId: number;
  readonly item: PackItem;
  readonly shard: ShardFacts;
  readonly entry: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

export type PackedSample = Pick<Piece, 'sampleId' | 'item' | 'shard' | 'entry'>;

export class PackPieces {
  readonly #pieceBytes: number;
  readonly #samplesAtOnce: number;
  readonly #ready: (readonly SampleRecord[])[] = [];
  readonly #asked: (readonly Piece[])[] = [];
  #at = 0;
  #pieces: Piece[] = [];
  #records: SampleRecord[] = [];
  #bytes = 0;

  constructor(pieceBytes: number, samplesAtOnce: number) {
    this.#pieceBytes = pieceBytes;
    this.#samplesAtOnce = samplesAtOnce;
  }

  /** The next sample. */
  add(sample: PackedSample): void {
    const { item } = sample;
    if (item.bytes <= this.#pieceBytes || codedPartOf(item.hint) !== null) {
      if (this.#bytes + item.bytes > this.#pieceBytes) this.#cut();
      this.#push({ ...sample, isFirst: true, isLast: true }, recordOf(sample), item.bytes);
      if (this.#records.length === this.#samplesAtOnce) this.#cut();
      return;
    }
    const start = Math.max(0, item.byteOffset);
    for (let at = 0; at < item.bytes; at += this.#pieceBytes) {
      this.#cut();
      const bytes = Math.min(this.#pieceBytes, item.bytes - at);
      const isLast = at + bytes === item.bytes;
      const record = { ...recordOf(sample), byteOffset: start + at, byteLength: bytes };
      this.#push({ ...sample, isFirst: at === 0, isLast }, record, bytes);
    }
  }

  /** No sample follows. */
  end(): void {
    this.#cut();
  }

  /** What is to be read at once and next; undefined: not enough has been added yet. */
  takeReady(): readonly SampleRecord[] | undefined {
    return this.#ready.shift();
  }

  /** What the next piece that was read is of. */
  next(): Piece {
    const first = must(this.#asked[0], 'what is read was asked for');
    const piece = must(first[this.#at], 'what is read was asked for');
    this.#at += 1;
    if (this.#at === first.length) {
      this.#asked.shift();
      this.#at = 0;
    }
    return piece;
  }

  #cut(): void {
    if (this.#records.length === 0) return;
    this.#asked.push(this.#pieces);
    this.#ready.push(this.#records);
    this.#records = [];
    this.#pieces = [];
    this.#bytes = 0;
  }

  #push(piece: Piece, record: SampleRecord, bytes: number): void {
    this.#pieces.push(piece);
    this.#records.push(record);
    this.#bytes += bytes;
  }
}

function recordOf({ sampleId, item }: PackedSample): SampleRecord {
  const { location, byteOffset, byteLength, bytes, tag, hint } = item;
  const isWhole = byteOffset === -1;
  // Of files here the tag is their time of modification, which nobody compares.
  const pins = tag > 0 && !location.startsWith('/') ? { pinnedTag: tag } : {};
  return {
    sampleId,
    location,
    byteOffset: isWhole ? null : byteOffset,
    byteLength: isWhole ? null : byteLength,
    ...(isWhole ? { pinnedBytes: bytes } : {}),
    ...pins,
    decodeHint: hint,
  };
}
