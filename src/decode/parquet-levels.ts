/**
 * Runs and packed bits, which Parquet keeps its levels and the places of values in a dictionary in. Everything is
 * checked against the end of the bytes; what is too short is a `RangeError`.
 */

/** A position in bytes, moved by who reads. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at: number = 0) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  uint8(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw tooShort();
    this.at += 1;
    return byte;
  }

  uint32(): number {
    const { at } = this;
    this.skip(4);
    return this.view.getUint32(at, true);
  }

  /** Of at most 32 bits. */
  varint(): number {
    const first = this.bytes[this.at] ?? 0x80;
    if (first < 0x80) {
      this.at += 1;
      return first;
    }
    let value = 0;
    for (let factor = 1; factor < 2 ** 35; factor *= 128) {
      const byte = this.uint8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number without an end');
  }

  skip(count: number): void {
    // What is no number at all is refused too.
    if (!(Number.isInteger(count) && count >= 0 && count <= this.left)) throw tooShort();
    this.at += count;
  }

  take(count: number): Uint8Array {
    const { at } = this;
    this.skip(count);
    return this.bytes.subarray(at, at + count);
  }
}

function tooShort(): RangeError {
  return new RangeError('it ends too early');
}

/** Runs of one value, and stretches of packed ones, as they follow each other. */
export class Runs {
  readonly #reader: ByteReader;
  readonly #width: number;
  /** Of the one that was read last. */
  isPacked: boolean = false;
  /** Values of it that are wanted. */
  length: number = 0;
  /** Of a run. */
  value: number = 0;
  /** The byte that packed ones begin at. */
  at: number = 0;

  constructor(reader: ByteReader, width: number) {
    if (width > 32) throw new RangeError(`values of ${width} bits`);
    this.#reader = reader;
    this.#width = width;
  }

  next(wanted: number): void {
    const reader = this.#reader;
    const width = this.#width;
    const header = reader.varint();
    const count = Math.floor(header / 2);
    if (count === 0) throw new RangeError('a run of no values');
    this.isPacked = header % 2 === 1;
    if (this.isPacked) {
      this.length = Math.min(count * 8, wanted);
      this.at = reader.at;
      if (reader.left * 8 < width * this.length) throw tooShort();
      // Some writers leave out what of the last group is not used.
      reader.skip(Math.min(count * width, reader.left));
    } else {
      this.length = Math.min(count, wanted);
      this.value = 0;
      for (let shift = 0; shift < width; shift += 8) this.value |= reader.uint8() << shift;
    }
  }
}

/** `count` levels of at most `max`; null where all of them are `max`. */
export function readLevels(bytes: Uint8Array, max: number, count: number): Uint8Array | null {
  const width = 32 - Math.clz32(max);
  const reader = new ByteReader(bytes);
  const runs = new Runs(reader, width);
  let levels: Uint8Array | null = null;
  for (let done = 0; done < count; done += runs.length) {
    runs.next(count - done);
    if (runs.isPacked) {
      levels ??= new Uint8Array(count).fill(max);
      if (width === 1) unpackBits(bytes, runs.at, levels, done, runs.length);
      else levels.set(unpackedLevels(reader.view, runs, width), done);
    } else {
      if (runs.value > max) throw new RangeError(`a level of ${runs.value}, above ${max}`);
      if (runs.value !== max) levels ??= new Uint8Array(count).fill(max);
      levels?.fill(runs.value, done, done + runs.length);
    }
  }
  return levels;
}

function unpackedLevels(view: DataView, { at, length }: Runs, width: number): Int32Array {
  const levels = new Int32Array(length);
  unpack(view, at * 8, width, levels, 0, length);
  return levels;
}

/**
 * The places of the zeros among `count` levels of one bit: where lists begin. At most `zerosMax`; more are a `RangeError`.
 * Not the levels themselves, of which a list of a thousand numbers has a thousand.
 */
export function readZeros(bytes: Uint8Array, count: number, zerosMax: number): Int32Array {
  const runs = new Runs(new ByteReader(bytes), 1);
  const zeros = new Int32Array(Math.min(count, zerosMax));
  let found = 0;
  for (let done = 0; done < count; done += runs.length) {
    runs.next(count - done);
    if (!runs.isPacked && runs.value !== 0) continue;
    if (found + (runs.isPacked ? 0 : runs.length) > zerosMax) throw tooManyZeros();
    if (!runs.isPacked) {
      for (let index = 0; index < runs.length; index += 1) zeros[found + index] = done + index;
      found += runs.length;
      continue;
    }
    for (let index = 0; index < runs.length; index += 8) {
      let rest = ~(bytes[runs.at + (index >> 3)] as number) & 0xff;
      for (; rest !== 0; rest &= rest - 1) {
        const zero = index + 31 - Math.clz32(rest & -rest);
        if (zero >= runs.length) break;
        if (found === zerosMax) throw tooManyZeros();
        zeros[found] = done + zero;
        found += 1;
      }
    }
  }
  return zeros.subarray(0, found);
}

function tooManyZeros(): RangeError {
  return new RangeError('more lists than rows');
}

/** So many are unpacked at a time, which stay in the processor's cache until they are used. */
const PIECE_VALUES = 4_096;
const piece: Int32Array = new Int32Array(PIECE_VALUES);

/** `count` numbers of `width` bits, some at a time; each time they are the first `length` of `values`, for number `from` on. */
export function readIndices(
  reader: ByteReader,
  width: number,
  count: number,
  use: (values: Int32Array, length: number, from: number) => void,
): void {
  const runs = new Runs(reader, width);
  let held = 0;
  for (let done = 0; done < count;) {
    runs.next(count - done);
    for (let taken = 0; taken < runs.length;) {
      const length = Math.min(runs.length - taken, PIECE_VALUES - held);
      if (runs.isPacked)
        unpack(reader.view, runs.at * 8 + taken * width, width, piece, held, length);
      else fillPiece(runs.value, held, length);
      held += length;
      taken += length;
      done += length;
      if (held < PIECE_VALUES && done < count) continue;
      use(piece, held, done - held);
      held = 0;
    }
  }
}

/** Most runs are short, and calling for them takes longer. */
function fillPiece(value: number, from: number, count: number): void {
  if (count > 32) {
    piece.fill(value, from, from + count);
    return;
  }
  for (let index = from; index < from + count; index += 1) piece[index] = value;
}

/** Bits as bytes of 0 and 1. The bytes are there. */
export function unpackBits(
  bytes: Uint8Array,
  at: number,
  out: Uint8Array,
  from: number,
  count: number,
): void {
  const end = from + (count & ~7);
  let source = at;
  let index = from;
  for (; index < end; index += 8, source += 1) {
    const byte = bytes[source] as number;
    out[index] = byte & 1;
    out[index + 1] = (byte >> 1) & 1;
    out[index + 2] = (byte >> 2) & 1;
    out[index + 3] = (byte >> 3) & 1;
    out[index + 4] = (byte >> 4) & 1;
    out[index + 5] = (byte >> 5) & 1;
    out[index + 6] = (byte >> 6) & 1;
    out[index + 7] = byte >> 7;
  }
  for (let bit = 0; index < from + count; bit += 1, index += 1) {
    out[index] = ((bytes[source] as number) >> bit) & 1;
  }
}

/** Numbers of `width` bits, next to each other from bit `start` on. The bytes are there. */
function unpack(
  view: DataView,
  start: number,
  width: number,
  out: Int32Array,
  from: number,
  count: number,
): void {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  // A value of up to 25 bits lies in four bytes, wherever it begins; the last may have fewer behind them.
  const readable = (view.byteLength - 4) * 8 - start;
  const fast = width > 25 || width === 0 ? 0 : Math.min(count, Math.floor(readable / width));
  let bit = start;
  let index = from;
  // Two at a time where they lie in what one read gives.
  for (const end = width > 12 ? from : from + fast - 1; index < end; index += 2) {
    const word = view.getInt32(bit >>> 3, true) >>> (bit & 7);
    out[index] = word & mask;
    out[index + 1] = (word >>> width) & mask;
    bit += 2 * width;
  }
  for (const end = from + fast; index < end; index += 1) {
    out[index] = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask;
    bit += width;
  }
  for (const end = from + count; index < end; index += 1) {
    out[index] = bitsAt(view, bit, width);
    bit += width;
  }
}

/** At most 32 bits from bit `bit` on, as a whole number of 32 bits; beyond the end are zeros. */
export function bitsAt(view: DataView, bit: number, width: number): number {
  if (width === 0) return 0;
  const at = Math.floor(bit / 8);
  const shift = bit % 8;
  const byte = (index: number): number => (index < view.byteLength ? view.getUint8(index) : 0);
  const low =
    at + 4 <= view.byteLength
      ? view.getUint32(at, true)
      : byte(at) + byte(at + 1) * 2 ** 8 + byte(at + 2) * 2 ** 16 + byte(at + 3) * 2 ** 24;
  const word = shift === 0 ? low : (low >>> shift) | (byte(at + 4) << (32 - shift));
  return width === 32 ? word | 0 : word & ((1 << width) - 1);
}
