/**
 * A scan of the bytes of one line that can prove it canonical, many times faster than taking it apart
 * as text. It only ever says "yes" or "look closer": what a line may be is the business of `parseLine`,
 * and a test holds the two together.
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

/** The scan did not prove the line canonical. */
export const LOOK_CLOSER = -1;

export class LineScanner {
  /** All scanned bytes or-ed together: 0x80 or more when any is not ASCII. */
  seenBits = 0;
  /** The decimal digits of the sample id that the next line must carry. */
  readonly #digits: Uint8Array = new Uint8Array(ID_DIGITS_MAX).fill(ZERO);
  #digitsStart: number = ID_DIGITS_MAX - 1;

  /**
   * Scans the line at `at` of `bytes`, which must hold its `\n`. Returns where the next line starts, or
   * `LOOK_CLOSER`. The expected id does not move; see `expectNext`.
   */
  scan(bytes: Uint8Array, at: number): number {
    const location = this.#skipId(bytes, at);
    if (location === LOOK_CLOSER) return LOOK_CLOSER;
    if (bytes[location] !== SLASH && !isUrlAt(bytes, location)) return LOOK_CLOSER;
    const offset = this.#skipField(bytes, location);
    if (bytes[offset] !== TAB) return LOOK_CLOSER;
    const hint = skipExtent(bytes, offset + 1);
    if (hint === LOOK_CLOSER) return LOOK_CLOSER;
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

  /** Position of the tab or newline that ends the field at `start`. */
  #skipField(bytes: Uint8Array, start: number): number {
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

/** Start of the hint after two columns that are both empty or both proper numbers. */
function skipExtent(bytes: Uint8Array, start: number): number {
  if (bytes[start] === TAB) return bytes[start + 1] === TAB ? start + 2 : LOOK_CLOSER;
  const length = skipNumber(bytes, start);
  // A length of 0 is refused by the closer look.
  if (length === LOOK_CLOSER || bytes[length] === ZERO) return LOOK_CLOSER;
  return skipNumber(bytes, length);
}

/** Position after the number at `start` and its tab. */
function skipNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at] ?? NEWLINE;
    if (byte < ZERO || byte > NINE) break;
    at += 1;
  }
  const digits = at - start;
  if (digits === 0 || digits > FAST_DIGITS_MAX || bytes[at] !== TAB) return LOOK_CLOSER;
  return digits > 1 && bytes[start] === ZERO ? LOOK_CLOSER : at + 1;
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
