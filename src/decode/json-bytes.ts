/** JSON as bytes, written where it will be read: no string is made for a number or a text that is in memory as UTF-8. */
import { isUtf8 } from 'node:buffer';

import { UNPACK_CHUNK_BYTES } from './limits.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What grows at its end and is emptied. */
export class JsonBytes {
  bytes: Uint8Array = new Uint8Array(UNPACK_CHUNK_BYTES);
  length: number = 0;

  /** What is in it is not read any more. A value that was far larger than a chunk does not keep its memory. */
  empty(): void {
    this.length = 0;
    if (this.bytes.length > 4 * UNPACK_CHUNK_BYTES) this.bytes = new Uint8Array(UNPACK_CHUNK_BYTES);
  }

  /** For so many bytes more. */
  room(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  byte(byte: number): void {
    this.room(1);
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  put(bytes: Uint8Array): void {
    this.room(bytes.length);
    if (bytes.length > SHORT_BYTES) this.bytes.set(bytes, this.length);
    else copyShort(bytes, 0, bytes.length, this.bytes, this.length);
    this.length += bytes.length;
  }

  /** Of characters below 128. */
  ascii(text: string): void {
    this.room(text.length);
    const { bytes, length } = this;
    for (let index = 0; index < text.length; index += 1) {
      bytes[length + index] = text.charCodeAt(index);
    }
    this.length = length + text.length;
  }

  /** Of any characters. */
  text(text: string): void {
    this.room(text.length * 3);
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  quoted(text: string): void {
    this.byte(QUOTE);
    this.ascii(text);
    this.byte(QUOTE);
  }

  number(value: number): void {
    // Most numbers that have no fraction need no text.
    if ((value | 0) === value) this.whole(value);
    else if (Number.isFinite(value)) this.ascii(`${value}`);
    else this.quoted(`${value}`);
  }

  /**
   * A number of 32 bits, given with those: what `JSON.stringify` writes, of which each digit follows from the ones before,
   * exactly, as both what is left of the number and how near is near enough are multiples of a power of two that fit
   * into a number of 64 bits. Others, and those of which the neighbours are not equally near, go by text.
   */
  float32(value: number, bits: number): void {
    const exponent = (bits >>> 23) & 0xff;
    const whole = (bits & 0x7f_ffff) | 0x80_0000;
    const zeros = 31 - Math.clz32(whole & -whole);
    const mantissa = whole >>> zeros;
    // The value is mantissa / 2^shift.
    const shift = 150 - exponent - zeros;
    if (shift <= 0 || shift > 49 || mantissa === 1 || (value > -1e-6 && value < 1e-6)) {
      this.number(value);
      return;
    }
    this.room(40);
    const start = this.length;
    if (value < 0) this.byte(MINUS);
    const unit = UNITS[shift] as number;
    const before = shift < 24 ? mantissa >>> shift : 0;
    this.whole(before);
    this.byte(POINT);
    if (this.#fraction(mantissa - before * unit, shift, NEAR / (UNITS[zeros] as number))) return;
    this.length = start;
    this.number(value);
  }

  /** The fewest digits of `part` / 2^`shift` that are within `near` / 2^`shift` of it. False: they would carry. */
  #fraction(part: number, shift: number, near: number): boolean {
    const unit = UNITS[shift] as number;
    const share = 1 / unit;
    let rest = part;
    let room = near;
    // Several at a time, as many as are exact, while more follow: where digits end within them, they do so behind them too.
    const step = shift <= 29 ? 7 : shift <= 39 ? 4 : 1;
    const scale = step === 7 ? 1e7 : step === 4 ? 1e4 : 10;
    for (;;) {
      const scaled = rest * scale;
      const digits = (scaled * share) | 0;
      const left = scaled - digits * unit;
      const wide = room * scale;
      if (left <= wide || unit - left <= wide) break;
      this.digits(digits, step);
      rest = left;
      room = wide;
    }
    const { bytes } = this;
    for (let at = this.length; ; at += 1) {
      rest *= 10;
      room *= 10;
      const digit = (rest * share) | 0;
      rest -= digit * unit;
      const isDown = rest <= room;
      const isUp = unit - rest <= room;
      bytes[at] = ZERO + digit;
      if (!isDown && !isUp) continue;
      const isNearerUp = rest * 2 > unit || (rest * 2 === unit && digit % 2 === 1);
      const last = isUp && (!isDown || isNearerUp) ? digit + 1 : digit;
      bytes[at] = ZERO + last;
      this.length = at + 1;
      return last < 10;
    }
  }

  /** Between -(2^53 - 1) and 2^53 - 1. */
  whole(value: number): void {
    this.room(20);
    let rest = value;
    if (rest < 0) {
      this.bytes[this.length] = MINUS;
      this.length += 1;
      rest = -rest;
    }
    if (rest < PART) {
      this.digits(rest, digitsOf(rest));
      return;
    }
    const high = Math.floor(rest / PART);
    this.digits(high, digitsOf(high));
    this.digits(rest - high * PART, PART_DIGITS);
  }

  /** Just so many, of a number of 32 bits. */
  digits(value: number, count: number): void {
    this.room(count);
    const { bytes, length } = this;
    let rest = value;
    for (let at = length + count - 1; at >= length; at -= 1) {
      const tens = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tens * 10;
      rest = tens;
    }
    this.length = length + count;
  }
}

/** Powers of two, which take longer to raise than digits to find. */
const UNITS: Float64Array = Float64Array.from({ length: 50 }, (_, power) => 2 ** power);
/** Half of the least that two numbers of 64 bits differ by, which are as large as one of 32 bits whose last bit is 1. */
const NEAR = 2 ** -30;

/** Whole numbers are written in parts of so many digits, which are numbers of 32 bits. */
const PART_DIGITS = 9;
const PART = 10 ** PART_DIGITS;

function digitsOf(value: number): number {
  let count = 1;
  for (let power = 10; value >= power; power *= 10) count += 1;
  return count;
}

/** Fewer bytes are copied faster one by one than by a call. */
const SHORT_BYTES = 24;

function copyShort(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  for (let index = start; index < end; index += 1) {
    to[at + index - start] = from[index] as number;
  }
}

/** What JSON has for characters that it does not take as they are, as `JSON.stringify` writes them. */
const ESCAPES: readonly (Uint8Array | null)[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) return null;
  return encoder.encode(JSON.stringify(String.fromCharCode(byte)).slice(1, -1));
});
const ESCAPE_BYTES_MAX = 6;

/** Texts next to each other, as a column has them. What is known of all of them need not be asked for each. */
export class JsonTexts {
  readonly #bytes: Uint8Array;
  readonly #isUtf8: boolean;
  readonly #hasEscapes: boolean;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#isUtf8 = isUtf8(bytes);
    this.#hasEscapes = !this.#isUtf8 || hasEscapes(bytes);
  }

  /** As `JSON.stringify` writes what `TextDecoder` makes of the bytes. */
  write(out: JsonBytes, start: number, end: number): void {
    const bytes = this.#bytes;
    if (!this.#isWhole(start, end)) {
      out.text(JSON.stringify(decoder.decode(bytes.subarray(start, end))));
      return;
    }
    out.room((end - start) * ESCAPE_BYTES_MAX + 2);
    const to = out.bytes;
    let at = out.length;
    to[at] = QUOTE;
    at += 1;
    if (this.#hasEscapes) {
      at = copyEscaped(bytes, start, end, to, at);
    } else {
      if (end - start > SHORT_BYTES) to.set(bytes.subarray(start, end), at);
      else copyShort(bytes, start, end, to, at);
      at += end - start;
    }
    to[at] = QUOTE;
    out.length = at + 1;
  }

  /** Whether it is UTF-8 by itself, without the mark of byte order that `TextDecoder` leaves out. */
  #isWhole(start: number, end: number): boolean {
    if (start === end) return true;
    const first = this.#bytes[start] as number;
    if (!this.#isUtf8 || isContinued(first) || first === BOM_BYTE) return false;
    return end === this.#bytes.length || !isContinued(this.#bytes[end] as number);
  }
}

const BOM_BYTE = 0xef;

/** Whether a character of UTF-8 goes on with the byte. */
function isContinued(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function copyEscaped(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  let next = at;
  for (let index = start; index < end; index += 1) {
    const byte = from[index] as number;
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) {
      to[next] = byte;
      next += 1;
    } else {
      const escape = ESCAPES[byte] ?? new Uint8Array(0);
      copyShort(escape, 0, escape.length, to, next);
      next += escape.length;
    }
  }
  return next;
}

const NO_WORDS = new Int32Array(0);

/** Four bytes at a time, where they begin at a multiple of four. */
function hasEscapes(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  const before = Math.min(length, -byteOffset & 3);
  const count = (length - before) >> 2;
  if (isAnyEscaped(bytes, 0, before) || isAnyEscaped(bytes, before + count * 4, length))
    return true;
  const words = count === 0 ? NO_WORDS : new Int32Array(buffer, byteOffset + before, count);
  for (let index = 0; index < count; index += 1) {
    const word = words[index] as number;
    const quote = word ^ 0x22222222;
    const slash = word ^ 0x5c5c5c5c;
    // A byte that is below the one taken off, and has no highest bit itself, gets one.
    const below = (word - 0x20202020) & ~word;
    const same = ((quote - 0x01010101) & ~quote) | ((slash - 0x01010101) & ~slash);
    if (((below | same) & 0x80808080) !== 0) return true;
  }
  return false;
}

function isAnyEscaped(bytes: Uint8Array, from: number, to: number): boolean {
  for (let index = from; index < to; index += 1) {
    if (ESCAPES[bytes[index] as number] !== null) return true;
  }
  return false;
}
