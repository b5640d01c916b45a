/**
 * Cuts bytes that arrive in chunks into lines of text. It holds at most one line and one chunk, and
 * refuses bytes that are not UTF-8 with the number of the line they are on.
 */
import { MANIFEST_LINE_BYTES_MAX } from './limits.ts';
import { lineError } from './line-error.ts';

const NEWLINE = 0x0a;
const NOTHING: Uint8Array = new Uint8Array(0);

/** `ignoreBOM` keeps a byte order mark visible, so that it is refused and not half accepted. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export class LineSplitter {
  readonly #source: string;
  #partial: Uint8Array = NOTHING;
  #lines = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Lines ended so far; the last line given out has this number. */
  get lineCount(): number {
    return this.#lines;
  }

  /** The lines that `chunk` ends, without their line ends `\n` or `\r\n`. */
  push(chunk: Uint8Array): string[] {
    const last = chunk.lastIndexOf(NEWLINE);
    const ended = last === -1 ? NOTHING : joined(this.#partial, chunk.subarray(0, last));
    const rest = last === -1 ? joined(this.#partial, chunk) : chunk.subarray(last + 1);
    // A copy, as the caller uses the chunk's memory again; `slice` of a Node buffer would be none.
    this.#partial = new Uint8Array(rest);
    const lines = last === -1 ? [] : this.#decode(ended);
    if (this.#partial.length > MANIFEST_LINE_BYTES_MAX + 1) throw this.#tooLong(this.#lines + 1);
    return lines;
  }

  /** Refuses a last line that does not end: the file may have been cut off there. */
  finish(): void {
    if (this.#partial.length === 0) return;
    throw lineError(
      this.#source,
      this.#lines + 1,
      'the last line does not end in a line break, so the file may have been cut off; if it is whole, add one',
    );
  }

  #decode(bytes: Uint8Array): string[] {
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch (error) {
      const line = this.#lines + firstBadLine(bytes);
      throw lineError(this.#source, line, 'it is not UTF-8 text', error);
    }
    const lines = text.split('\n');
    const before = this.#lines;
    this.#lines += lines.length;
    return lines.map((line, index) => {
      // A character takes at most three bytes per UTF-16 unit, so most lines need no closer look.
      if (line.length * 3 > MANIFEST_LINE_BYTES_MAX) this.#checkLength(line, before + index + 1);
      return line.endsWith('\r') ? line.slice(0, -1) : line;
    });
  }

  #checkLength(text: string, line: number): void {
    if (encoder.encode(text).length > MANIFEST_LINE_BYTES_MAX) throw this.#tooLong(line);
  }

  #tooLong(line: number): Error {
    const what = `it is longer than ${MANIFEST_LINE_BYTES_MAX} bytes; this is no manifest`;
    return lineError(this.#source, line, what);
  }
}

/** Number, from 1, of the first of these lines that is not UTF-8. */
function firstBadLine(bytes: Uint8Array): number {
  for (let line = 1, start = 0; ; line += 1) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    if (newline === -1) return line;
    start = end + 1;
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (head.length === 0) return tail;
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
