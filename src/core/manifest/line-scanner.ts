/**
 * A scan of the bytes of one line that can prove it canonical, many times faster than taking it apart
 * as text. It only ever says "yes" or "look closer": what a line may be is the business of `parseLine`,
 * and a test holds the two together. Of a line that it passed it knows where the columns are.
 */
const TAB = 0x09;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SLASH = 0x2f;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** Sums of two numbers with so few digits are exact. */
const FAST_DIGITS_MAX = 15;
/** A sample id has at most as many digits as `Number.MAX_SAFE_INTEGER`. */
const ID_DIGITS_MAX = 16;

/** Offset and length of a sample that is a whole object. */
const WHOLE = -1;

/** The scan did not prove the line canonical. */
export const LOOK_CLOSER = -1;

/** What is known of a line that was passed. */
export interface ScannedLine {
  readonly locationStart: number;
  readonly locationEnd: number;
  readonly isSameLocation: boolean;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly hintStart: number;
}

export class LineScanner implements ScannedLine {
  /** All scanned bytes or-ed together: 0x80 or more when any is not ASCII. */
  seenBits = 0;
  /** Of the line passed last: its location is [locationStart, locationEnd) of the bytes. */
  locationStart: number = 0;
  locationEnd: number = 0;
  /** Whether it is the location of the line before, in the same bytes. */
  isSameLocation: boolean = false;
  /** Its extent, -1 for a whole object. */
  byteOffset: number = WHOLE;
  byteLength: number = WHOLE;
  /** Where its hint starts; it ends before the newline. */
  hintStart: number = 0;
  /** The decimal digits of the sample id that the next line must carry. */
  readonly #digits: Uint8Array = new Uint8Array(ID_DIGITS_MAX).fill(ZERO);
  #digitsStart: number = ID_DIGITS_MAX - 1;
  #number: number = 0;
  /** What the last location lies in. */
  #locationBytes: Uint8Array | null = null;
  #words: DataView = new DataView(new ArrayBuffer(0));

  /** The first line must carry the id `firstId`. */
  constructor(firstId: number = 0) {
    this.expect(firstId);
  }

  /** The next line must carry this id. */
  expect(id: number): void {
    const text = String(id);
    this.#digits.fill(ZERO);
    this.#digitsStart = ID_DIGITS_MAX - text.length;
    for (let index = 0; index < text.length; index += 1) {
      this.#digits[this.#digitsStart + index] = text.charCodeAt(index);
    }
  }

  /**
   * Scans the line at `at` of `bytes`, which must hold its `\n`. Returns where the next line starts, or
   * `LOOK_CLOSER`. The expected id does not move; see `expectNext`.
   */
  scan(bytes: Uint8Array, at: number): number {
    const location = this.#skipId(bytes, at);
    if (location === LOOK_CLOSER) return LOOK_CLOSER;
    const offset = this.#skipLocation(bytes, location);
    if (bytes[offset] !== TAB) return LOOK_CLOSER;
    const hint = this.#skipExtent(bytes, offset + 1);
    if (hint === LOOK_CLOSER) return LOOK_CLOSER;
    if (this.#locationBytes !== bytes) {
      this.#locationBytes = bytes;
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.locationStart = location;
    this.locationEnd = offset;
    this.hintStart = hint;
    return this.#skipHint(bytes, hint);
  }

  /** The next line must carry the id after this one. */
  expectNext(): void {
    const digits = this.#digits;
    let index = ID_DIGITS_MAX - 1;
    while (digits[index] === NINE) {
      digits[index] = ZERO;
      index -= 1;
    }
    digits[index] = (digits[index] ?? ZERO) + 1;
    if (index < this.#digitsStart) this.#digitsStart = index;
  }

  /** Start of the location, after exactly the expected id and a tab. */
  #skipId(bytes: Uint8Array, start: number): number {
    let at = start;
    for (let index = this.#digitsStart; index < ID_DIGITS_MAX; index += 1) {
      if (bytes[at] !== this.#digits[index]) return LOOK_CLOSER;
      at += 1;
    }
    return bytes[at] === TAB ? at + 1 : LOOK_CLOSER;
  }

  /** Position of the tab or newline that ends the location at `start`; -1 when it is none. */
  #skipLocation(bytes: Uint8Array, start: number): number {
    const length = this.locationEnd - this.locationStart;
    this.isSameLocation =
      bytes === this.#locationBytes &&
      bytes[start + length] === TAB &&
      isEqual(this.#words, this.locationStart, start, length);
    if (this.isSameLocation) return start + length;
    if (bytes[start] !== SLASH && !isUrlAt(bytes, start)) return LOOK_CLOSER;
    let at = start;
    let seen = this.seenBits;
    for (;;) {
      const byte = bytes[at] ?? NEWLINE;
      if (byte === TAB || byte === NEWLINE) break;
      seen |= byte;
      at += 1;
    }
    this.seenBits = seen;
    return at;
  }

  /** Start of the hint after two columns that are both empty or both proper numbers. */
  #skipExtent(bytes: Uint8Array, start: number): number {
    if (bytes[start] === TAB) {
      this.byteOffset = WHOLE;
      this.byteLength = WHOLE;
      return bytes[start + 1] === TAB ? start + 2 : LOOK_CLOSER;
    }
    const length = this.#skipNumber(bytes, start);
    // A length of 0 is refused by the closer look.
    if (length === LOOK_CLOSER || bytes[length] === ZERO) return LOOK_CLOSER;
    this.byteOffset = this.#number;
    const hint = this.#skipNumber(bytes, length);
    this.byteLength = this.#number;
    return hint;
  }

  /** Position after the number at `start` and its tab. */
  #skipNumber(bytes: Uint8Array, start: number): number {
    let at = start;
    let value = 0;
    for (;;) {
      const byte = bytes[at] ?? NEWLINE;
      if (byte < ZERO || byte > NINE) break;
      value = value * 10 + (byte - ZERO);
      at += 1;
    }
    const digits = at - start;
    if (digits === 0 || digits > FAST_DIGITS_MAX || bytes[at] !== TAB) return LOOK_CLOSER;
    this.#number = value;
    return digits > 1 && bytes[start] === ZERO ? LOOK_CLOSER : at + 1;
  }

  /** Position after the newline, when nothing in the hint needs a closer look. */
  #skipHint(bytes: Uint8Array, start: number): number {
    let at = start;
    for (;;) {
      const byte = bytes[at] ?? TAB;
      if (byte === NEWLINE) return at + 1;
      if (byte === TAB || byte === CARRIAGE_RETURN) return LOOK_CLOSER;
      this.seenBits |= byte;
      at += 1;
    }
  }
}

/** From the end, where paths differ. */
function isEqual(words: DataView, one: number, other: number, length: number): boolean {
  let rest = length;
  while (rest >= 4) {
    rest -= 4;
    if (words.getInt32(one + rest) !== words.getInt32(other + rest)) return false;
  }
  while (rest > 0) {
    rest -= 1;
    if (words.getInt8(one + rest) !== words.getInt8(other + rest)) return false;
  }
  return true;
}

/** True when `scheme://x` stands at `start`, as `isUrl` wants it; `file:///` needs a closer look. */
function isUrlAt(bytes: Uint8Array, start: number): boolean {
  let at = start;
  while (isLowerLetter(bytes[at] ?? 0) || (at > start && isDigit(bytes[at] ?? 0))) at += 1;
  if (at === start || bytes[at] !== COLON) return false;
  if (bytes[at + 1] !== SLASH || bytes[at + 2] !== SLASH) return false;
  const first = bytes[at + 3] ?? NEWLINE;
  return first !== SLASH && first !== TAB && first !== NEWLINE;
}

function isLowerLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
