/**
 * One line of a manifest, as text without its line end, to a record. This is the authority on what a
 * line may be; `CanonicalChecker` has a faster way to say yes and asks here in every other case.
 */
import { isExtent } from './encode.ts';
import { lineError, quoted } from './line-error.ts';
import { isAbsoluteOrUrl } from './location.ts';
import type { SampleRecord } from './record.ts';

/** `canonical`: five columns, absolute locations. `dev`: 2, 4 or 5 columns, any location. */
export type ManifestForm = 'canonical' | 'dev';

/** Columns as they stand in the line; those it does not have are empty. */
interface Columns {
  readonly count: number;
  readonly id: string;
  readonly location: string;
  readonly offset: string;
  readonly length: string;
  readonly hint: string;
}

const DIGITS_MAX = 16;
const ZERO = 0x30;

export function parseLine(
  text: string,
  line: number,
  source: string,
  form: ManifestForm,
): SampleRecord {
  const columns = splitColumns(text);
  const { count, location, hint: decodeHint } = columns;
  if (count !== 5 && !(form === 'dev' && (count === 2 || count === 4))) {
    throw lineError(source, line, wrongCount(count, form));
  }
  const sampleId = decimal(columns.id);
  if (sampleId === null) throw lineError(source, line, notDecimal('sample_id', columns.id));
  if (location === '') throw lineError(source, line, 'the location is empty');
  if (form === 'canonical' && !isAbsoluteOrUrl(location)) {
    const what = `the location ${quoted(location)} is neither an absolute path nor a URL`;
    throw lineError(source, line, what);
  }
  if (decodeHint.includes('\r')) {
    throw lineError(source, line, 'the decode_hint has a carriage return in it');
  }
  if (columns.offset === '' && columns.length === '') {
    return { sampleId, location, byteOffset: null, byteLength: null, decodeHint };
  }
  const { byteOffset, byteLength } = parseExtent(columns, line, source);
  return { sampleId, location, byteOffset, byteLength, decodeHint };
}

/** Twice as fast as `split` for the five columns that nearly every line has. */
function splitColumns(text: string): Columns {
  const tab1 = text.indexOf('\t');
  const tab2 = text.indexOf('\t', tab1 + 1);
  const tab3 = text.indexOf('\t', tab2 + 1);
  const tab4 = text.indexOf('\t', tab3 + 1);
  // A search that came to the end starts again at the first tab, so the order shows what was found.
  if (tab1 < tab2 && tab2 < tab3 && tab3 < tab4 && !text.includes('\t', tab4 + 1)) {
    return {
      count: 5,
      id: text.slice(0, tab1),
      location: text.slice(tab1 + 1, tab2),
      offset: text.slice(tab2 + 1, tab3),
      length: text.slice(tab3 + 1, tab4),
      hint: text.slice(tab4 + 1),
    };
  }
  const parts = text.split('\t');
  const [id = '', location = '', offset = '', length = '', hint = ''] = parts;
  return { count: parts.length, id, location, offset, length, hint };
}

function parseExtent(
  columns: Columns,
  line: number,
  source: string,
): { readonly byteOffset: number; readonly byteLength: number } {
  const { offset, length } = columns;
  if (offset === '' || length === '') {
    const [there, absent] =
      offset === '' ? ['byte_length', 'byte_offset'] : ['byte_offset', 'byte_length'];
    throw lineError(source, line, `it has a ${there} but no ${absent}; give both or neither`);
  }
  const byteOffset = decimal(offset);
  if (byteOffset === null) throw lineError(source, line, notDecimal('byte_offset', offset));
  const byteLength = decimal(length);
  if (byteLength === null) throw lineError(source, line, notDecimal('byte_length', length));
  if (byteLength === 0) throw lineError(source, line, 'the byte_length is 0; a sample has bytes');
  if (!isExtent(byteOffset, byteLength)) {
    throw lineError(source, line, `the sample ends beyond byte ${Number.MAX_SAFE_INTEGER}`);
  }
  return { byteOffset, byteLength };
}

/** A whole number without sign and leading zeros, or null. */
function decimal(text: string): number | null {
  const { length } = text;
  if (length === 0 || length > DIGITS_MAX) return null;
  if (length > 1 && text.charCodeAt(0) === ZERO) return null;
  let value = 0;
  for (let index = 0; index < length; index += 1) {
    const digit = text.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}

function notDecimal(column: string, text: string): string {
  if (text === '') return `the ${column} is empty`;
  if (/^0\d+$/.test(text)) return `the ${column} ${quoted(text)} has leading zeros`;
  return `the ${column} ${quoted(text)} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
}

function wrongCount(count: number, form: ManifestForm): string {
  const has = `it has ${count === 1 ? '1 column' : `${count} columns`}`;
  return form === 'canonical'
    ? `${has}, not the 5 of sample_id, location, byte_offset, byte_length, decode_hint`
    : `${has}; without "schema_version=0" as its first line a manifest has 2, 4 or 5, separated by tabs`;
}
