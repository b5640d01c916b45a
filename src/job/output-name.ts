/** Names of outputs below the output folder: safe to write, unique, and the same on every machine. */
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { lastPart } from './batch.ts';
import { NAME_BYTES_MAX, NAME_PATH_BYTES_MAX } from './limits.ts';

/** First components that a data set keeps for itself. */
const RESERVED: ReadonlySet<string> = new Set(['_mx8', 'shards']);

const encoder = new TextEncoder();

/** `part-000000000000-000000000064.jsonl`: where the rows of samples [start, end) go. */
export function partName(range: { start: number; end: number }, extension: string): string {
  return `part-${idDigits(range.start)}-${idDigits(range.end)}.${extension}`;
}

/** Twelve digits, so that names sort like numbers up to 10^12 samples. */
export function idDigits(id: number): string {
  return String(id).padStart(12, '0');
}

/**
 * The name of a sample's output when its row gives none: the source file's name with the sample's id
 * before the extension, as files of one name may lie in many folders. A sample out of a shard has no
 * file name of its own.
 */
export function defaultName(record: SampleRecord): string {
  const id = idDigits(record.sampleId);
  if (record.byteOffset !== null) return `sample-${id}.bin`;
  const name = cleaned(lastPart(withoutQuery(record.location)));
  const dot = name.lastIndexOf('.');
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : '';
  return `${cut(stem === '' ? 'sample' : stem, 180)}-${id}${extension}`;
}

function withoutQuery(location: string): string {
  if (location.startsWith('/')) return location;
  return location.replace(/[?#].*$/, '');
}

function cleaned(name: string): string {
  return Array.from(name, (char) => (isControl(char) || char === '\\' ? '_' : char)).join('');
}

function isControl(char: string): boolean {
  return char < ' ' || char === '\u007f';
}

/** At most `bytesMax` bytes of UTF-8, never half a character. */
function cut(text: string, bytesMax: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(bytesMax)).read);
}

/** The name as given, or `row_invalid` with what is wrong with it. */
export function checkName(name: unknown, sampleId: number): string {
  if (typeof name !== 'string') throw bad(String(name), sampleId, 'it is not a text');
  const reason = fault(name);
  if (reason !== null) throw bad(name, sampleId, reason);
  return name;
}

function fault(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name.startsWith('/'))
    return 'it is an absolute path; names are relative to the output folder';
  if (name.includes('\\')) return 'it has a backslash; folders are separated by "/"';
  if (Array.from(name).some(isControl)) return 'it has a control character';
  if (!name.isWellFormed()) return 'it is not valid Unicode';
  if (encoder.encode(name).length > NAME_PATH_BYTES_MAX) {
    return `it is longer than ${NAME_PATH_BYTES_MAX} bytes`;
  }
  const parts = name.split('/');
  for (const part of parts) {
    if (part === '') return 'it has an empty component';
    if (part === '.' || part === '..') return `it has the component "${part}"`;
    if (encoder.encode(part).length > NAME_BYTES_MAX) {
      return `a component is longer than ${NAME_BYTES_MAX} bytes`;
    }
  }
  const first = parts[0] ?? '';
  return RESERVED.has(first) ? `"${first}" is kept for the data set itself` : null;
}

function bad(name: string, sampleId: number, reason: string): Mx8Error {
  const message = `the output name ${JSON.stringify(name)} of sample ${sampleId} cannot be used: ${reason}`;
  return new Mx8Error('row_invalid', message, { sample_id: sampleId, name });
}

/** A name that the place of the output does not take. */
export function nameUnfit(name: string, sampleId: number, reason: string): Mx8Error {
  return bad(name, sampleId, reason);
}

/** Two samples want one name. */
export function nameTaken(name: string, sampleId: number, other: number | string): Mx8Error {
  const owner = typeof other === 'number' ? `sample ${other}` : other;
  const both =
    other === sampleId ? `two rows of sample ${sampleId}` : `sample ${sampleId} and ${owner}`;
  const message = `${both} both name their output ${JSON.stringify(name)}: each output needs a name of its own; a row without a name gets one, made of its file’s name and its id`;
  return new Mx8Error('row_invalid', message, { sample_id: sampleId, name });
}
