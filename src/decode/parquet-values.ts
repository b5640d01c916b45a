/** The encodings of Parquet's values, from the bytes of a page to memory as Arrow has it: without an object for a value. */
import { ByteReader, bitsAt, readIndices, unpackBits } from './parquet-levels.ts';
import { notIn, pickWords, placesOf } from './parquet-pick.ts';

/** An encoding that is not read here. */
export class OtherEncoding extends Error {}

/** Values of a page that are all as long: numbers, or bytes of one width. */
export interface FixedDictionary {
  readonly bytes: Uint8Array;
  readonly count: number;
}

export interface Texts {
  readonly bytes: Uint8Array;
  /** Where each begins in `bytes`; null where they follow each other from the first byte on. */
  readonly starts: Int32Array | null;
  readonly lengths: Int32Array;
  /** Bytes of all together. */
  readonly total: number;
}

/** `count` values of `width` bytes each, one after the other, into `into`, which begins at a multiple of 8 and has just that length. */
export function readFixed(
  page: Uint8Array,
  encoding: string,
  count: number,
  width: number,
  dictionary: FixedDictionary | null,
  into: Uint8Array,
): void {
  switch (encoding) {
    case 'PLAIN':
      into.set(new ByteReader(page).take(count * width));
      return;
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY':
      pick(page, count, dictionary, width, into);
      return;
    case 'BYTE_STREAM_SPLIT':
      joinStreams(new ByteReader(page).take(count * width), count, width, into);
      return;
    case 'DELTA_BINARY_PACKED':
      if (width === 4) readDeltas(new ByteReader(page), count, words(into), 1);
      else if (width === 8) readDeltas(new ByteReader(page), count, words(into), 2);
      else throw new OtherEncoding(encoding);
      return;
    default:
      throw new OtherEncoding(encoding);
  }
}

/** A byte for each value, 0 or 1. */
export function readBooleans(
  page: Uint8Array,
  encoding: string,
  count: number,
  into: Uint8Array,
): void {
  if (encoding === 'PLAIN') {
    unpackBits(new ByteReader(page).take((count + 7) >> 3), 0, into, 0, count);
  } else if (encoding === 'RLE') {
    const reader = new ByteReader(page);
    const bytes = reader.uint32();
    readIndices(new ByteReader(reader.take(bytes)), 1, count, (values, length, from) => {
      into.set(values.subarray(0, length), from);
    });
  } else {
    throw new OtherEncoding(encoding);
  }
}

export function readTexts(
  page: Uint8Array,
  encoding: string,
  count: number,
  dictionary: Texts | null,
): Texts {
  switch (encoding) {
    case 'PLAIN':
      return plainTexts(page, count);
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY':
      return pickTexts(page, count, dictionary);
    case 'DELTA_LENGTH_BYTE_ARRAY': {
      const reader = new ByteReader(page);
      const lengths = new Int32Array(count);
      readDeltas(reader, count, lengths, 1);
      return textsFrom(page, reader.at, lengths);
    }
    default:
      throw new OtherEncoding(encoding);
  }
}

/** A shorter text is moved faster byte by byte than by a call. */
const SHORT_TEXT_BYTES = 24;

/** Texts with their lengths before them. They are moved together where they lie: the page is nobody else's. */
function plainTexts(page: Uint8Array, count: number): Texts {
  const lengths = new Int32Array(count);
  const { view } = new ByteReader(page);
  let at = 0;
  let total = 0;
  for (let index = 0; index < count; index += 1) {
    const length = view.getUint32(at, true);
    const start = at + 4;
    at = start + length;
    if (at > page.length) throw new RangeError('a text that is longer than its page');
    if (length > SHORT_TEXT_BYTES) {
      page.copyWithin(total, start, at);
    } else {
      for (let byte = 0; byte < length; byte += 1)
        page[total + byte] = page[start + byte] as number;
    }
    lengths[index] = length;
    total += length;
  }
  return { bytes: page.subarray(0, total), starts: null, lengths, total };
}

/** Texts that follow each other from `at` on. */
function textsFrom(page: Uint8Array, at: number, lengths: Int32Array): Texts {
  let total = 0;
  for (const length of lengths) {
    if (length < 0) throw new RangeError(`a text of ${length} bytes`);
    total += length;
  }
  if (at + total > page.length) throw new RangeError('a text that is longer than its page');
  return { bytes: page.subarray(at, at + total), starts: null, lengths, total };
}

/** A dictionary: where each of its texts begins. */
export function dictionaryOf(page: Uint8Array, count: number): Texts {
  const texts = plainTexts(page, count);
  const starts = new Int32Array(count);
  for (let index = 1; index < count; index += 1) {
    starts[index] = (starts[index - 1] ?? 0) + (texts.lengths[index - 1] ?? 0);
  }
  return { ...texts, starts };
}

function pickTexts(page: Uint8Array, count: number, dictionary: Texts | null): Texts {
  const known = dictionary?.lengths.length ?? 0;
  const starts = new Int32Array(count);
  const lengths = new Int32Array(count);
  let total = 0;
  eachPlace(page, count, (places, length, from) => {
    for (let index = 0; index < length; index += 1) {
      const place = places[index] as number;
      if (place >>> 0 >= known) throw notIn(place, known);
      const bytes = dictionary?.lengths[place] ?? 0;
      starts[from + index] = dictionary?.starts?.[place] ?? 0;
      lengths[from + index] = bytes;
      total += bytes;
    }
  });
  return { bytes: dictionary?.bytes ?? new Uint8Array(0), starts, lengths, total };
}

/** Places in the dictionary; the first byte says how many bits each has. */
function eachPlace(
  page: Uint8Array,
  count: number,
  use: (places: Int32Array, length: number, from: number) => void,
): void {
  if (count === 0) return;
  const reader = new ByteReader(page);
  const width = reader.uint8();
  // Without bits all of them are the first.
  if (width === 0) readIndices(new ByteReader(allFirst(count)), 1, count, use);
  else readIndices(reader, width, count, use);
}

/** One run of zeros: how often, and a byte for what. */
function allFirst(count: number): Uint8Array {
  const bytes: number[] = [];
  let rest = count * 2;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Uint8Array.from([...bytes, rest, 0]);
}

function pick(
  page: Uint8Array,
  count: number,
  dictionary: FixedDictionary | null,
  width: number,
  into: Uint8Array,
): void {
  const known = dictionary?.count ?? 0;
  const bytes = dictionary?.bytes ?? new Uint8Array(0);
  if (width === 4 || width === 8) {
    const each = width === 4 ? 1 : 2;
    pickWords(placesOf(page, count), { from: words(bytes), known, each }, words(into));
    return;
  }
  eachPlace(page, count, (places, length, first) => {
    pickBytes(places, length, known, width, bytes, into, first);
  });
}

function pickBytes(
  places: Int32Array,
  length: number,
  known: number,
  width: number,
  from: Uint8Array,
  to: Uint8Array,
  first: number,
): void {
  for (let index = 0; index < length; index += 1) {
    const place = places[index] as number;
    if (place >>> 0 >= known) throw notIn(place, known);
    to.set(from.subarray(place * width, (place + 1) * width), (first + index) * width);
  }
}

/** Byte 0 of all values, then byte 1 of all, and so on. */
function joinStreams(streams: Uint8Array, count: number, width: number, into: Uint8Array): void {
  for (let byte = 0; byte < width; byte += 1) {
    const start = byte * count;
    for (let index = 0, at = byte; index < count; index += 1, at += width) {
      into[at] = streams[start + index] as number;
    }
  }
}

/** As numbers of 32 bits, where they begin at a multiple of 4; else a copy, which only who reads may ask for. */
function words(bytes: Uint8Array): Int32Array {
  const count = bytes.length >> 2;
  return bytes.byteOffset % 4 === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, count)
    : new Int32Array(bytes.slice(0, count * 4).buffer);
}

/**
 * Whole numbers by the differences between them, `wordCount` words of 32 bits each: two words are added with what
 * the lower one carries, as a `bigint` for each would take twenty times as long.
 */
function readDeltas(reader: ByteReader, count: number, out: Int32Array, wordCount: 1 | 2): void {
  const blockValues = reader.varint();
  const miniblocks = reader.varint();
  const total = reader.varint();
  const miniValues = blockValues / miniblocks;
  if (!Number.isInteger(miniValues / 32) || miniValues === 0) {
    throw new RangeError(`differences in ${miniblocks} parts of blocks of ${blockValues}`);
  }
  if (total !== count) throw new RangeError(`${total} differences for ${count} values`);
  const sum: Pair = readZigzag(reader);
  if (count > 0) put(out, 0, wordCount, sum);
  for (let done = 1; done < count;) {
    const least = readZigzag(reader);
    const widths = reader.take(miniblocks);
    for (let mini = 0; mini < miniblocks && done < count; mini += 1) {
      const width = widths[mini] ?? 0;
      if (width > 64) throw new RangeError(`differences of ${width} bits`);
      const wanted = Math.min(miniValues, count - done);
      const bytes = (width * miniValues) / 8;
      // What is not used of the last may be left out.
      if (reader.left * 8 < width * wanted) throw new RangeError('it ends too early');
      const start = reader.at * 8;
      reader.skip(Math.min(bytes, reader.left));
      for (let index = 0; index < wanted; index += 1) {
        const bit = start + index * width;
        const low = bitsAt(reader.view, bit, Math.min(width, 32)) >>> 0;
        const high = width > 32 ? bitsAt(reader.view, bit + 32, width - 32) : 0;
        const carried = (sum.low >>> 0) + (least.low >>> 0) + low;
        sum.low = carried | 0;
        sum.high = (sum.high + least.high + high + Math.floor(carried / 2 ** 32)) | 0;
        put(out, done, wordCount, sum);
        done += 1;
      }
    }
  }
}

/** Gives them, where they are not longer than 32 bits: how long texts are. */
export function skipDeltas(reader: ByteReader, count: number): Int32Array {
  const values = new Int32Array(count);
  readDeltas(reader, count, values, 1);
  return values;
}

interface Pair {
  low: number;
  high: number;
}

function put(out: Int32Array, index: number, wordCount: 1 | 2, { low, high }: Pair): void {
  if (wordCount === 1) {
    out[index] = low;
    return;
  }
  out[index * 2] = low;
  out[index * 2 + 1] = high;
}

/** A number of 64 bits whose sign is its lowest. */
function readZigzag(reader: ByteReader): Pair {
  let low = 0;
  let high = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift > 63) throw new RangeError('a number without an end');
    const byte = reader.uint8();
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift > 25) high |= shift < 32 ? bits >>> (32 - shift) : bits << (shift - 32);
    if (byte < 0x80) break;
  }
  const sign = -(low & 1);
  return { low: ((low >>> 1) | (high << 31)) ^ sign, high: (high >>> 1) ^ sign };
}
