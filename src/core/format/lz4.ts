/**
 * Decompresses LZ4, which Node does not know: blocks by themselves, as Parquet has them, and frames of blocks, as
 * Arrow has them. Damage is a `RangeError`; checksums are not looked at, as whoever pins samples has better ones.
 */

const FRAME_MAGIC = 0x184d2204;
const VERSION_1 = 0b0100_0000;
const HAS_BLOCK_CHECKSUMS = 0b0001_0000;
const HAS_SIZE = 0b0000_1000;
const HAS_DICTIONARY = 0b0000_0001;
const IS_STORED = 0x8000_0000;
const MATCH_BYTES_MIN = 4;

/** A whole block, which must fill `output`. */
export function lz4Block(input: Uint8Array, output: Uint8Array): void {
  const end = decodeBlock(input, output, 0);
  if (end !== output.length) {
    throw new RangeError(`LZ4 gave ${end} bytes instead of ${output.length}`);
  }
}

/** A whole frame, of which at most `bytesMax` bytes come. */
export function lz4Frame(input: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw new RangeError('no LZ4 frame');
  const flags = view.getUint8(4);
  if ((flags & 0b1100_0000) !== VERSION_1) throw new RangeError('an LZ4 frame of another version');
  if ((flags & HAS_DICTIONARY) !== 0) throw new RangeError('an LZ4 frame with a dictionary');
  const blockBytesMax = 1 << (8 + 2 * ((view.getUint8(5) >> 4) & 0b111));
  const checksumBytes = (flags & HAS_BLOCK_CHECKSUMS) === 0 ? 0 : 4;
  const output = new Growing(bytesMax);
  let at = 7 + ((flags & HAS_SIZE) === 0 ? 0 : 8);
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return output.bytes();
    const length = word & ~IS_STORED;
    if (length > input.length - at) throw new RangeError('an LZ4 block that is cut off');
    const block = input.subarray(at, at + length);
    if (word >= IS_STORED) output.add(block);
    else output.addBlock(block, blockBytesMax);
    at += length + checksumBytes;
  }
}

class Growing {
  readonly #bytesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(part: Uint8Array): void {
    this.#room(part.length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
    this.#check();
  }

  /** A block may repeat what those before it were. */
  addBlock(block: Uint8Array, blockBytesMax: number): void {
    // No block gives more than 255 bytes for each of its own.
    this.#room(Math.min(blockBytesMax, block.length * 255));
    this.#length = decodeBlock(block, this.#bytes, this.#length);
    this.#check();
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  #check(): void {
    if (this.#length <= this.#bytesMax) return;
    throw new RangeError(`LZ4 gives more than ${this.#bytesMax} bytes`);
  }
}

/** From `start` of the output on; answers where it ends. */
function decodeBlock(input: Uint8Array, output: Uint8Array, start: number): number {
  let from = 0;
  let to = start;
  const lengthAt = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let byte = 255; byte === 255; length += byte) {
      byte = input[from] ?? -1;
      from += 1;
      if (byte === -1) throw new RangeError('an LZ4 block that is cut off');
    }
    return length;
  };
  while (from < input.length) {
    const token = input[from] ?? 0;
    from += 1;
    const literals = lengthAt(token >> 4);
    if (from + literals > input.length || to + literals > output.length) {
      throw new RangeError('an LZ4 block with bytes that it has not, or has no room for');
    }
    output.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    // The last sequence is literals only.
    if (from === input.length) return to;
    const distance = (input[from] ?? 0) | ((input[from + 1] ?? 0) << 8);
    from += 2;
    const length = lengthAt(token & 15) + MATCH_BYTES_MIN;
    if (from > input.length || distance === 0 || distance > to || to + length > output.length) {
      throw new RangeError('an LZ4 block that repeats what is not there, or has no room for');
    }
    copyMatch(output, to, distance, length);
    to += length;
  }
  return to;
}

/** What is copied may be of what is being written: a distance of 1 repeats one byte. */
function copyMatch(output: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length) {
    output.copyWithin(to, to - distance, to - distance + length);
    return;
  }
  for (let at = to; at < to + length; at += 1) output[at] = output[at - distance] ?? 0;
}
