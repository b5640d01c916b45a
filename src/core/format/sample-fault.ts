/**
 * Whether bytes are one whole sample of a plain shard, as the scanner of its format would find them again: what was
 * written over, cut or shifted since it was pinned mostly is not. What a line or a value says is nobody's affair.
 */
import { parseHint } from '../manifest/decode-hint.ts';
import type { SampleRecord } from '../manifest/record.ts';
import { codedPartOf } from './coded-part.ts';
import { CSV_KIND, CsvScanner } from './csv-scanner.ts';
import { FormatError } from './format-error.ts';
import { JSONL_HINT, JsonlScanner } from './jsonl-scanner.ts';
import { MDS_KIND, mdsColumns } from './mds-index.ts';
import { mdsParts } from './mds-row.ts';
import type { FoundSample, SampleScanner } from './scanner.ts';
import { WEBDATASET_HINT, WebDatasetScanner } from './webdataset-scanner.ts';

/** Null when they are; a clause otherwise. */
export type SampleTest = (bytes: Uint8Array) => string | null;

/** Rows of a job, a line each, which carry no hint. */
const LINES_OF_JOB = /\/part-\d{12,}-\d{12,}\.jsonl$/;

/** Remembers the last hint: nearly all samples of a data set have the same. */
export class SampleTests {
  #last: { readonly hint: string; readonly test: SampleTest | null } | null = null;

  /** Null where nothing is known about what the bytes should be. */
  of({ decodeHint, location, byteOffset }: SampleRecord): SampleTest | null {
    if (byteOffset === null) return null;
    const isLine = decodeHint === '' && LINES_OF_JOB.test(location);
    const hint = isLine ? JSONL_HINT : decodeHint;
    if (this.#last?.hint !== hint) this.#last = { hint, test: testOf(hint) };
    return this.#last.test;
  }
}

function testOf(hint: string): SampleTest | null {
  if (!hint.startsWith('mx8:') || codedPartOf(hint) !== null) return null;
  const parsed = parseHint(hint);
  switch (parsed?.kind) {
    case JSONL_HINT:
      return (bytes) => scanned(new JsonlScanner(null), bytes, LINE);
    case WEBDATASET_HINT:
      return (bytes) => scanned(new WebDatasetScanner(null), bytes);
    case CSV_KIND: {
      const delimiter = parsed.fields.get('delimiter') === 'tab' ? '\t' : ',';
      return (bytes) => scanned(new CsvScanner(delimiter, null), bytes, RECORD);
    }
    case MDS_KIND: {
      const columns = mdsColumns(parsed.fields.get('columns') ?? '');
      return (bytes) => told(() => void mdsParts(columns, bytes));
    }
    default:
      return null;
  }
}

/** What stands before and after a sample: what is odd at its ends stays its own. */
interface Around {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

const NOTHING: Around = { before: new Uint8Array(0), after: new Uint8Array(0) };
const LINE_END: Uint8Array = Uint8Array.of(0x0d, 0x0a);
const LINE: Around = { before: LINE_END, after: LINE_END };
/** A scanner of CSV takes a header line off first. */
const RECORD: Around = { before: Uint8Array.of(0x68, ...LINE_END), after: LINE_END };

function scanned(
  scanner: SampleScanner,
  bytes: Uint8Array,
  { before, after }: Around = NOTHING,
): string | null {
  return told(() => {
    const found: FoundSample[] = [];
    for (const chunk of [before, bytes, after]) if (chunk.length > 0) scanner.push(chunk, found);
    scanner.finish(found);
    const [first] = found;
    const end = before.length + bytes.length;
    const isWhole = found.length === 1 && first?.start === before.length && first.end === end;
    if (!isWhole) throw new FormatError(`they are not one sample but ${found.length}`, 0);
  });
}

function told(look: () => void): string | null {
  try {
    look();
    return null;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}
