/**
 * Lines. A sample is a line without its line end (`\n` or `\r\n`); lines of blanks are none, and neither is a
 * byte order mark. What is in a line is nobody's affair here: only where it is.
 */
import { FormatError } from './format-error.ts';
import { RunningChecksum } from './scanner.ts';
import type { Checksum, FoundSample, SampleScanner } from './scanner.ts';

export const JSONL_HINT = 'mx8:jsonl';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const RETURN_BYTES = Uint8Array.of(RETURN);

export class JsonlScanner implements SampleScanner {
  position: number = 0;
  readonly indifferentBytes: number = 0;
  readonly #hint: string;
  readonly #checksum: RunningChecksum;
  /** Where the line that is open starts. */
  #start = 0;
  /** Whether it has anything but blanks so far. */
  #isBlank = true;
  /** The last byte was a `\r`, which belongs to the line unless a line break follows. */
  #heldReturn = false;

  /** `hint`: what the samples are said to be. */
  constructor(checksum: Checksum | null, hint: string = JSONL_HINT) {
    this.#hint = hint;
    this.#checksum = new RunningChecksum(checksum);
  }

  push(chunk: Uint8Array, found: FoundSample[]): void {
    let from = this.position === 0 ? markBytes(chunk) : 0;
    if (from > 0) this.#start = from;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, from);
      if (newline === -1) break;
      this.#take(chunk.subarray(from, newline));
      this.#end(this.position + newline - (this.#heldReturn ? 1 : 0), found);
      this.#start = this.position + newline + 1;
      from = newline + 1;
    }
    this.#take(chunk.subarray(from));
    this.position += chunk.length;
  }

  finish(found: FoundSample[]): void {
    // Without a line break at its end a file is a line shorter for many tools, but not for any writer.
    this.#end(this.position - (this.#heldReturn ? 1 : 0), found);
    this.#start = this.position;
  }

  skip(bytes: number): void {
    throw new FormatError(`lines cannot be found without looking at ${bytes} bytes`, this.position);
  }

  /** Bytes of the open line. */
  #take(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#heldReturn) this.#checksum.add(RETURN_BYTES);
    this.#heldReturn = bytes[bytes.length - 1] === RETURN;
    this.#checksum.add(this.#heldReturn ? bytes.subarray(0, -1) : bytes);
    for (let at = 0; this.#isBlank && at < bytes.length; at += 1) {
      this.#isBlank = isBlank(bytes[at] ?? 0);
    }
  }

  #end(end: number, found: FoundSample[]): void {
    const checksum = this.#checksum.take();
    if (!this.#isBlank) found.push({ start: this.#start, end, checksum, hint: this.#hint });
    this.#isBlank = true;
    this.#heldReturn = false;
  }
}

/** Length of the mark that a file starts with; the first chunk is no shorter, unless the file is. */
export function markBytes(chunk: Uint8Array): number {
  return BYTE_ORDER_MARK.every((byte, index) => chunk[index] === byte) ? BYTE_ORDER_MARK.length : 0;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === RETURN;
}
