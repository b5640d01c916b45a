/**
 * Decompresses Snappy while it is read: one block, as `snappy.compress` of Python makes it and MosaicML's shards have it,
 * not the framed form. What writers make goes back 64 KiB at most (they compress pieces of that), so no more is kept of what
 * came out. Damage is a `RangeError`.
 */

/** How far back a copy may go. */
const WINDOW_BYTES: number = 64 * 1024;
/** The longest copy. */
const COPY_BYTES_MAX = 64;
const LENGTH_BYTES_MAX = 5;
/** A block says its length in 32 bits. */
const BLOCK_BYTES_MAX: number = 2 ** 32 - 1;

export class SnappyBlock {
  /** What came out: the window, and behind it what is not handed on yet. */
  readonly #out: Uint8Array;
  #handed = 0;
  #filled = 0;
  /** All that came out. */
  #produced = 0;
  /** Of the whole block, as it begins with; null: that is not read yet. */
  #length: number | null = null;
  #lengthBytes = 0;
  #lengthSoFar = 0;
  /** The element that is begun, until all its bytes are there. */
  readonly #tag: number[] = [];
  /** Bytes that are still to be taken as they are. */
  #literal = 0;
  #taken = 0;

  constructor(chunkBytes: number) {
    this.#out = new Uint8Array(WINDOW_BYTES + Math.max(chunkBytes, COPY_BYTES_MAX));
  }

  /** Bytes of the block that were taken. */
  get taken(): number {
    return this.#taken;
  }

  /** What comes out of these, in pieces; each is valid until the next is asked for. */
  *push(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#filled + COPY_BYTES_MAX > this.#out.length) yield* this.#hand();
      const before = at;
      if (this.#length === null) {
        this.#readLength(bytes[at] as number);
        at += 1;
      } else if (this.#literal > 0) {
        at += this.#take(bytes.subarray(at));
      } else {
        this.#tag.push(bytes[at] as number);
        at += 1;
        if (this.#tag.length === tagBytes(this.#tag[0] as number)) this.#element();
      }
      this.#taken += at - before;
    }
    yield* this.#hand();
  }

  /** The block has ended. */
  finish(): void {
    const whole = this.#length ?? -1;
    if (this.#produced === whole && this.#tag.length === 0 && this.#literal === 0) return;
    const expected = this.#length === null ? 'its length' : `${whole}`;
    throw new RangeError(`it ends after ${this.#produced} bytes instead of ${expected}`);
  }

  *#hand(): Generator<Uint8Array, void, undefined> {
    if (this.#filled > this.#handed) yield this.#out.subarray(this.#handed, this.#filled);
    const kept = Math.min(this.#filled, WINDOW_BYTES);
    this.#out.copyWithin(0, this.#filled - kept, this.#filled);
    this.#filled = kept;
    this.#handed = kept;
  }

  #readLength(byte: number): void {
    this.#lengthSoFar += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes);
    this.#lengthBytes += 1;
    if (byte < 0x80) {
      if (this.#lengthSoFar > BLOCK_BYTES_MAX)
        throw new RangeError('a length of more than 32 bits');
      this.#length = this.#lengthSoFar;
    } else if (this.#lengthBytes === LENGTH_BYTES_MAX) {
      throw new RangeError('no length at its start');
    }
  }

  #element(): void {
    const [tag = 0, ...more] = this.#tag.splice(0);
    const number = more.reduce((sum, byte, index) => sum + byte * 2 ** (8 * index), 0);
    const high = tag >> 2;
    switch (tag & 0b11) {
      case 0:
        this.#literal = (high < 60 ? high : number) + 1;
        this.#checkRoom(this.#literal);
        return;
      case 1:
        this.#copy((high & 0b111) + 4, ((tag >> 5) << 8) + number);
        return;
      default:
        this.#copy(high + 1, number);
    }
  }

  #take(bytes: Uint8Array): number {
    const count = Math.min(this.#literal, bytes.length, this.#out.length - this.#filled);
    this.#out.set(bytes.subarray(0, count), this.#filled);
    this.#filled += count;
    this.#produced += count;
    this.#literal -= count;
    return count;
  }

  #copy(length: number, distance: number): void {
    if (distance === 0 || distance > this.#produced || distance > WINDOW_BYTES) {
      throw new RangeError(
        `a copy from ${distance} bytes back, of ${this.#produced} that came out`,
      );
    }
    this.#checkRoom(length);
    const out = this.#out;
    const to = this.#filled;
    // What is copied may be of what is being written: a distance of 1 repeats one byte.
    if (distance >= length) out.copyWithin(to, to - distance, to - distance + length);
    else for (let at = to; at < to + length; at += 1) out[at] = out[at - distance] as number;
    this.#filled += length;
    this.#produced += length;
  }

  #checkRoom(bytes: number): void {
    const whole = this.#length ?? 0;
    if (this.#produced + bytes <= whole) return;
    throw new RangeError(`more than the ${whole} bytes that it says it has`);
  }
}

/** How many bytes an element's description has. */
function tagBytes(tag: number): number {
  const high = tag >> 2;
  switch (tag & 0b11) {
    case 0:
      return high < 60 ? 1 : high - 58;
    case 1:
      return 2;
    case 2:
      return 3;
    default:
      return 5;
  }
}

/** Shorter ones are moved faster byte by byte than by a call. */
const SHORT_BYTES = 24;

/** A whole block, as Parquet's pages are, which must fill `output`; the length that it begins with is not looked at. */
export function snappyBlock(input: Uint8Array, output: Uint8Array): void {
  let at = 0;
  while (at < input.length && (input[at] as number) >= 0x80) at += 1;
  at += 1;
  let end = 0;
  while (at < input.length) {
    const tag = input[at] as number;
    const high = tag >> 2;
    const kind = tag & 0b11;
    const bytes = tagBytes(tag);
    if (at + bytes > input.length) throw new RangeError('it ends within an element');
    if (kind === 0) {
      const from = at + bytes;
      const length = (high < 60 ? high : wholeAt(input, at + 1, bytes - 1)) + 1;
      checkEnd(from + length, input.length);
      checkEnd(end + length, output.length);
      put(input, from, output, end, length);
      at = from + length;
      end += length;
      continue;
    }
    const length = kind === 1 ? (high & 0b111) + 4 : high + 1;
    const low = input[at + 1] as number;
    const distance =
      kind === 1
        ? ((tag >> 5) << 8) + low
        : kind === 2
          ? low + ((input[at + 2] as number) << 8)
          : wholeAt(input, at + 1, 4);
    if (distance === 0 || distance > end) {
      throw new RangeError(`a copy from ${distance} bytes back, of ${end} that came out`);
    }
    const last = end + length;
    checkEnd(last, output.length);
    // What is copied may be of what is being written: a distance of 1 repeats one byte.
    for (let from = end - distance; end < last; end += 1, from += 1) {
      output[end] = output[from] as number;
    }
    at += bytes;
  }
  if (end !== output.length) {
    throw new RangeError(`it ends after ${end} bytes instead of ${output.length}`);
  }
}

function checkEnd(end: number, length: number): void {
  if (end > length) throw new RangeError(`more than the ${length} bytes that there are`);
}

function put(from: Uint8Array, at: number, to: Uint8Array, start: number, count: number): void {
  if (count > SHORT_BYTES) to.set(from.subarray(at, at + count), start);
  else
    for (let index = 0; index < count; index += 1) to[start + index] = from[at + index] as number;
}

/** Of `count` bytes, the lowest first: four of them are no negative number. */
function wholeAt(bytes: Uint8Array, at: number, count: number): number {
  let value = bytes[at] as number;
  if (count > 1) value |= (bytes[at + 1] as number) << 8;
  if (count > 2) value |= (bytes[at + 2] as number) << 16;
  if (count > 3) value |= (bytes[at + 3] as number) << 24;
  return value >>> 0;
}
