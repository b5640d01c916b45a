/**
 * Records of a CSV file (RFC 4180): a line, or several where a field in quotes has line breaks in it. The
 * first record names the columns, and is no sample. A sample is a record without its line end.
 */
import { CSV_HEADER_BYTES_MAX } from './limits.ts';
import { csvFields } from './csv-fields.ts';
import { FormatError } from './format-error.ts';
import { markBytes } from './jsonl-scanner.ts';
import { RunningChecksum } from './scanner.ts';
import type { Checksum, FoundSample, SampleScanner } from './scanner.ts';
import { percentEncoded } from './percent.ts';

export const CSV_KIND = 'mx8:csv';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const RETURN_BYTES = Uint8Array.of(RETURN);

type State =
  /** Before the first byte of a field. */
  | 'field'
  | 'plain'
  | 'quoted'
  /** After a quote in a field in quotes: its end, or the first of two that stand for one. */
  | 'quote';

export class CsvScanner implements SampleScanner {
  position: number = 0;
  readonly indifferentBytes: number = 0;
  readonly #delimiter: number;
  readonly #checksum: RunningChecksum;
  #state: State = 'field';
  #start = 0;
  /** Where the field in quotes that is open starts. */
  #quotedAt = 0;
  #isBlank = true;
  #heldReturn = false;
  /** Bytes of the header record so far; null once it is read. */
  #header: number[] | null = [];
  #hint = '';

  constructor(delimiter: ',' | '\t', checksum: Checksum | null) {
    this.#delimiter = delimiter.charCodeAt(0);
    this.#checksum = new RunningChecksum(checksum);
  }

  push(chunk: Uint8Array, found: FoundSample[]): void {
    let from = this.position === 0 ? markBytes(chunk) : 0;
    if (from > 0) this.#start = from;
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (this.#state === 'quoted') {
        // Long texts are passed over quickly.
        const quote = byte === QUOTE ? at : chunk.indexOf(QUOTE, at);
        if (quote === -1) break;
        at = quote;
        this.#state = 'quote';
      } else if (byte === NEWLINE) {
        this.#take(chunk.subarray(from, at));
        this.#end(this.position + at, found);
        from = at + 1;
        this.#start = this.position + from;
      } else if (byte === this.#delimiter) this.#state = 'field';
      else if (byte === QUOTE && this.#state !== 'plain') {
        if (this.#state === 'field') this.#quotedAt = this.position + at;
        this.#state = 'quoted';
      } else this.#state = 'plain';
    }
    this.#take(chunk.subarray(from));
    this.position += chunk.length;
  }

  finish(found: FoundSample[]): void {
    if (this.#state === 'quoted') {
      const what = `the quote at byte ${this.#quotedAt} is never closed, so the rest of the file would be one field`;
      throw new FormatError(what, this.#quotedAt);
    }
    this.#end(this.position, found);
    this.#start = this.position;
    if (this.#header !== null) throw new FormatError('there is no header line', 0);
  }

  skip(bytes: number): void {
    const what = `records cannot be found without looking at ${bytes} bytes`;
    throw new FormatError(what, this.position);
  }

  /** Bytes of the open record. */
  #take(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#heldReturn) this.#add(RETURN_BYTES);
    this.#heldReturn = bytes[bytes.length - 1] === RETURN && this.#state !== 'quoted';
    this.#add(this.#heldReturn ? bytes.subarray(0, -1) : bytes);
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#isBlank = false;
    this.#checksum.add(bytes);
    if (this.#header === null) return;
    if (this.#header.length + bytes.length > CSV_HEADER_BYTES_MAX) {
      const what = `the header line is longer than ${CSV_HEADER_BYTES_MAX} bytes, too long to go with every record; give the file shorter column names, or make it Parquet or JSON lines`;
      throw new FormatError(what, this.#start);
    }
    this.#header.push(...bytes);
  }

  #end(lineEnd: number, found: FoundSample[]): void {
    const end = this.#heldReturn ? lineEnd - 1 : lineEnd;
    const checksum = this.#checksum.take();
    const isBlank = this.#isBlank;
    this.#isBlank = true;
    this.#heldReturn = false;
    this.#state = 'field';
    if (isBlank) return;
    if (this.#header === null) found.push({ start: this.#start, end, checksum, hint: this.#hint });
    else this.#readHeader(Uint8Array.from(this.#header));
  }

  #readHeader(bytes: Uint8Array): void {
    this.#header = null;
    const isTabs = this.#delimiter === 0x09;
    const columns = csvFields(bytes, isTabs ? '\t' : ',');
    const twice = columns.find((name, index) => columns.indexOf(name) !== index);
    if (twice !== undefined) {
      const what = `the header line names the column ${JSON.stringify(twice)} twice`;
      throw new FormatError(what, this.#start);
    }
    const list = columns.map(percentEncoded).join(',');
    this.#hint = `${CSV_KIND};${isTabs ? 'delimiter=tab;' : ''}columns=${list}`;
  }
}
