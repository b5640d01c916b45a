/**
 * Checks that bytes are a canonical manifest, in one pass at several million lines a second, holding
 * nothing but one partial line, and notes where every 1024th record starts. The caller hashes the same
 * chunks. Everything else than canonical bytes is `manifest_invalid` and names the line.
 *
 * A line passes when a scan of its bytes proves it canonical. Where the scan cannot, `parseLine`
 * decides and says what is wrong.
 */
import { MANIFEST_HEADER } from './encode.ts';
import { MANIFEST_INDEX_STRIDE, MANIFEST_LINE_BYTES_MAX } from './limits.ts';
import { lineError, quoted } from './line-error.ts';
import { LOOK_CLOSER, LineScanner } from './line-scanner.ts';
import type { ScannedLine } from './line-scanner.ts';
import { parseLine } from './parse-line.ts';

const NEWLINE = 0x0a;
const NOTHING: Uint8Array = new Uint8Array(0);
/** `ignoreBOM` keeps a byte order mark visible, so that it is refused. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

export interface CanonicalSummary {
  readonly sampleCount: number;
  readonly manifestBytes: number;
  /** Byte offset of the lines of samples 0, 1024, 2048, … */
  readonly marks: readonly number[];
}

/** Hears of each line in its turn. */
export interface LineSink {
  /** It ends before byte `end`, and its last byte is the line break. The bytes are used again afterwards. */
  passed(bytes: Uint8Array, line: ScannedLine, end: number): void;
  /** The line is canonical, but not by a scan: nothing more is known of it. */
  unproved(): void;
}

export class CanonicalChecker {
  readonly #source: string;
  readonly #sink: LineSink | undefined;
  readonly #scanner = new LineScanner();
  readonly #marks: number[] = [];
  #partial: Uint8Array = NOTHING;
  #isPastHeader = false;
  /** Records that passed, which is also the id of the next. */
  #count = 0;
  /** Bytes that belong to lines that passed. */
  #offset = 0;

  constructor(source: string, sink?: LineSink) {
    this.#source = source;
    this.#sink = sink;
  }

  get sampleCount(): number {
    return this.#count;
  }

  /** The chunk's memory may be used again afterwards. */
  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#partial.length > 0) {
      from = chunk.indexOf(NEWLINE) + 1;
      const line = joined(this.#partial, from === 0 ? chunk : chunk.subarray(0, from));
      this.#keepPartial(from === 0 ? line : NOTHING);
      if (from === 0) return;
      this.#lines(line);
    }
    const to = Math.max(from, chunk.lastIndexOf(NEWLINE) + 1);
    if (to > from) this.#lines(chunk.subarray(from, to));
    // A copy, as the caller uses the chunk's memory again; `slice` of a Node buffer would be none.
    if (to < chunk.length) this.#keepPartial(new Uint8Array(chunk.subarray(to)));
  }

  finish(): CanonicalSummary {
    if (this.#partial.length > 0) {
      throw this.#error('the last line does not end in a line break, so the manifest was cut off');
    }
    if (!this.#isPastHeader) throw this.#error('the manifest is empty, without even its header');
    return { sampleCount: this.#count, manifestBytes: this.#offset, marks: this.#marks };
  }

  /** `bytes` are whole lines, each with its line end. */
  #lines(bytes: Uint8Array): void {
    const scanner = this.#scanner;
    const sink = this.#sink;
    const firstRecord = this.#isPastHeader ? 0 : this.#skipHeader(bytes);
    const firstId = this.#count;
    scanner.seenBits = 0;
    for (let at = firstRecord; at < bytes.length;) {
      if (this.#count % MANIFEST_INDEX_STRIDE === 0) this.#marks.push(this.#offset + at);
      let end = scanner.scan(bytes, at);
      if (end === LOOK_CLOSER) {
        end = this.#lookCloser(bytes, at);
        sink?.unproved();
      } else sink?.passed(bytes, scanner, end);
      if (end - at > MANIFEST_LINE_BYTES_MAX + 1) throw this.#tooLong();
      at = end;
      this.#count += 1;
      scanner.expectNext();
    }
    if (scanner.seenBits >= 0x80) this.#checkUtf8(bytes.subarray(firstRecord), firstId);
    this.#offset += bytes.length;
  }

  /** Length of the header line; it may only be followed by records. */
  #skipHeader(bytes: Uint8Array): number {
    const end = bytes.indexOf(NEWLINE) + 1;
    const text = lenientDecoder.decode(bytes.subarray(0, Math.min(end, 100)));
    if (text !== MANIFEST_HEADER) {
      throw this.#error(
        `a canonical manifest starts with ${quoted(MANIFEST_HEADER.trimEnd())}, not ${quoted(text.trimEnd())}`,
      );
    }
    this.#isPastHeader = true;
    return end;
  }

  /** The parser's word on a line that the scan did not pass; the position after it. */
  #lookCloser(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(NEWLINE, at) + 1;
    const line = this.#lineNumber();
    const text = decodeLine(bytes.subarray(at, end - 1), this.#source, line);
    const record = parseLine(text, line, this.#source, 'canonical');
    if (record.sampleId === this.#count) return end;
    throw this.#error(
      `it holds sample_id ${record.sampleId} where ${this.#count} belongs; ids run 0, 1, 2, … in order`,
    );
  }

  /** The lines `bytes` of the records from `firstId` on, some with bytes that are not ASCII. */
  #checkUtf8(bytes: Uint8Array, firstId: number): void {
    try {
      decoder.decode(bytes);
    } catch {
      for (let at = 0, line = firstId + 2; at < bytes.length; line += 1) {
        const end = bytes.indexOf(NEWLINE, at);
        decodeLine(bytes.subarray(at, end), this.#source, line);
        at = end + 1;
      }
    }
  }

  #keepPartial(bytes: Uint8Array): void {
    if (bytes.length > MANIFEST_LINE_BYTES_MAX) throw this.#tooLong();
    this.#partial = bytes;
  }

  /** Of the line being read: the header is line 1. */
  #lineNumber(): number {
    return this.#isPastHeader ? this.#count + 2 : 1;
  }

  #tooLong(): Error {
    return this.#error(`it is longer than ${MANIFEST_LINE_BYTES_MAX} bytes; this is no manifest`);
  }

  #error(what: string): Error {
    return lineError(this.#source, this.#lineNumber(), what);
  }
}

function decodeLine(bytes: Uint8Array, source: string, line: number): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw lineError(source, line, 'it is not UTF-8 text', error);
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
