/**
 * Bytes of any accepted manifest in, records in the order of their ids out. It takes what people and
 * other programs write: `\r\n`, blank lines, lines that start with `#`, records in any order, and
 * with `allowDev` the header-less form with 2, 4 or 5 columns. Everything else is `manifest_invalid`
 * and names the line. What comes out, encoded again, is the canonical form.
 */
import { MANIFEST_SCHEMA_VERSION } from './encode.ts';
import { lineError, quoted } from './line-error.ts';
import { LineSplitter } from './line-splitter.ts';
import { isAbsoluteOrUrl } from './location.ts';
import { parseLine } from './parse-line.ts';
import type { ManifestForm } from './parse-line.ts';
import type { SampleRecord } from './record.ts';
import { RecordSequencer } from './record-sequencer.ts';

export interface ManifestDecoderOptions {
  /** Which manifest this is, for messages: its path, or "the manifest". */
  readonly source: string;
  /** Whether a manifest without the header line is taken. */
  readonly allowDev: boolean;
  /** Makes a relative location of a dev manifest absolute; without it such a location is refused. */
  readonly resolveLocation?: (location: string) => string;
  /** Memory for records out of order; see `MANIFEST_HELD_BYTES_MAX`. */
  readonly heldBytesMax?: number;
}

const HEADER_START = 'schema_version=';
const BYTE_ORDER_MARK = '\ufeff';

export class ManifestDecoder {
  readonly #options: ManifestDecoderOptions;
  readonly #splitter: LineSplitter;
  readonly #sequencer: RecordSequencer;
  /** Null until the first line that counts. */
  #form: ManifestForm | null = null;

  constructor(options: ManifestDecoderOptions) {
    this.#options = options;
    this.#splitter = new LineSplitter(options.source);
    this.#sequencer = new RecordSequencer(options.source, options.heldBytesMax);
  }

  /** Records given out so far. */
  get sampleCount(): number {
    return this.#sequencer.nextId;
  }

  /** The records whose turn has come with `chunk`. */
  push(chunk: Uint8Array): SampleRecord[] {
    const ready: SampleRecord[] = [];
    const before = this.#splitter.lineCount;
    const lines = this.#splitter.push(chunk);
    for (let index = 0; index < lines.length; index += 1) {
      const text = lines[index] ?? '';
      if (text === '' || text.startsWith('#')) continue;
      this.#line(text, before + index + 1, ready);
    }
    return ready;
  }

  /** To be called after the last chunk: refuses a cut-off line, a gap, and a file without a header. */
  finish(): void {
    this.#splitter.finish();
    if (this.#form === null && !this.#options.allowDev) {
      throw lineError(this.#options.source, 1, `the header "${HEADER_START}0" is missing`);
    }
    this.#sequencer.finish();
  }

  #line(text: string, line: number, ready: SampleRecord[]): void {
    if (this.#form === null) {
      this.#form = this.#formOf(text, line);
      if (this.#form === 'canonical') return;
    }
    const { source } = this.#options;
    const record = parseLine(text, line, source, this.#form);
    this.#sequencer.add(this.#absolute(record, line), line, ready);
  }

  #formOf(text: string, line: number): ManifestForm {
    const { source, allowDev } = this.#options;
    if (text === `${HEADER_START}${MANIFEST_SCHEMA_VERSION}`) return 'canonical';
    if (text.startsWith(HEADER_START)) {
      const what = `this mx8 reads schema_version ${MANIFEST_SCHEMA_VERSION}, not ${quoted(text.slice(HEADER_START.length))}`;
      throw lineError(source, line, what);
    }
    if (text.startsWith(BYTE_ORDER_MARK)) {
      const what = 'the file starts with a byte order mark; save it as UTF-8 without one';
      throw lineError(source, line, what);
    }
    if (!allowDev) throw lineError(source, line, `the header "${HEADER_START}0" is missing`);
    return 'dev';
  }

  #absolute(record: SampleRecord, line: number): SampleRecord {
    if (this.#form === 'canonical' || isAbsoluteOrUrl(record.location)) return record;
    const { source, resolveLocation } = this.#options;
    if (resolveLocation === undefined) {
      const what = `the location ${quoted(record.location)} is neither an absolute path nor a URL`;
      throw lineError(source, line, what);
    }
    return { ...record, location: resolveLocation(record.location) };
  }
}
