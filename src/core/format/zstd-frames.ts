/**
 * Cuts a zstd file into its frames (RFC 8878) without decompressing: each can be decompressed by itself.
 * Programs that compress in parallel, and writers that flush, make files of many.
 */
import { FormatError } from './format-error.ts';

export type FramePiece =
  /** Bytes of the frame that is open. */
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  /** A frame starts at this byte of the file. */
  | { readonly type: 'start'; readonly at: number }
  | { readonly type: 'end' };

const MAGIC = 0xfd2fb528;
/** Frames that hold something else than data, such as an index. */
const SKIPPABLE = 0x184d2a50;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];

/** What the next bytes are. `count` of them are gathered first, or passed by. */
type Step =
  | { readonly type: 'magic'; readonly count: 4 }
  | { readonly type: 'descriptor'; readonly count: 1 }
  | { readonly type: 'header'; readonly count: number }
  | { readonly type: 'block'; readonly count: 3 }
  | { readonly type: 'content'; readonly count: number; readonly isLast: boolean }
  | { readonly type: 'checksum'; readonly count: number }
  | { readonly type: 'skip_size'; readonly count: 4 }
  | { readonly type: 'skip'; readonly count: number };

const MAGIC_STEP: Step = { type: 'magic', count: 4 };

export class ZstdFrames {
  #step: Step = MAGIC_STEP;
  /** Bytes of this step that have gone by, and those that are looked at. */
  #gone = 0;
  readonly #gathered: Uint8Array = new Uint8Array(4);
  #hasChecksum = false;
  #position: number;
  #inFrame = false;

  /** `position` is where in the file its bytes start: the beginning of a frame. */
  constructor(position: number = 0) {
    this.#position = position;
  }

  *push(chunk: Uint8Array): Generator<FramePiece> {
    let from = 0;
    while (from < chunk.length || this.#step.count === 0) {
      const { type, count } = this.#step;
      const to = Math.min(chunk.length, from + count - this.#gone);
      const bytes = chunk.subarray(from, to);
      if (count <= 4 && type !== 'content') this.#gathered.set(bytes, this.#gone);
      this.#gone += bytes.length;
      this.#position += bytes.length;
      from = to;
      if (this.#inFrame && bytes.length > 0) yield { type: 'bytes', bytes };
      if (this.#gone < count) return;
      yield* this.#done();
    }
  }

  /** Throws when the file ends inside a frame. */
  finish(): void {
    if (this.#step.type === 'magic' && this.#gone === 0) return;
    throw new FormatError('the file ends in the middle of a zstd frame', this.#position);
  }

  *#done(): Generator<FramePiece> {
    const step = this.#step;
    this.#gone = 0;
    switch (step.type) {
      case 'magic':
        yield* this.#begin();
        return;
      case 'descriptor':
        this.#step = { type: 'header', count: this.#headerBytes() };
        return;
      case 'header':
        this.#step = { type: 'block', count: 3 };
        return;
      case 'block':
        this.#step = this.#block();
        return;
      case 'content':
        this.#step = step.isLast
          ? { type: 'checksum', count: this.#hasChecksum ? 4 : 0 }
          : { type: 'block', count: 3 };
        return;
      case 'checksum':
        this.#inFrame = false;
        this.#step = MAGIC_STEP;
        yield { type: 'end' };
        return;
      case 'skip_size':
        this.#step = { type: 'skip', count: this.#number(4) };
        return;
      case 'skip':
        this.#step = MAGIC_STEP;
        return;
      default:
        step satisfies never;
    }
  }

  *#begin(): Generator<FramePiece> {
    const magic = this.#number(4);
    const at = this.#position - 4;
    if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
      this.#step = { type: 'skip_size', count: 4 };
      return;
    }
    if (magic !== MAGIC) {
      const what = `a zstd frame starts with fd2fb528, not ${magic.toString(16).padStart(8, '0')}`;
      throw new FormatError(what, at);
    }
    this.#inFrame = true;
    this.#step = { type: 'descriptor', count: 1 };
    yield { type: 'start', at };
    yield { type: 'bytes', bytes: this.#gathered.slice(0, 4) };
  }

  #headerBytes(): number {
    const descriptor = this.#gathered[0] ?? 0;
    const isSingle = (descriptor & 0x20) !== 0;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 && isSingle ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
    return (isSingle ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + sizeBytes;
  }

  #block(): Step {
    const header = this.#number(3);
    const kind = (header >> 1) & 3;
    if (kind === 3) {
      throw new FormatError('a zstd block is of the kind that is reserved', this.#position - 3);
    }
    // A block of one byte that is repeated holds only that byte.
    const count = kind === 1 ? 1 : header >> 3;
    return { type: 'content', count, isLast: (header & 1) === 1 };
  }

  #number(bytes: number): number {
    let value = 0;
    for (let at = bytes - 1; at >= 0; at -= 1) value = value * 256 + (this.#gathered[at] ?? 0);
    return value;
  }
}
