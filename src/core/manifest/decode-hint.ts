/** Decode hints: a kind, then `key=value` pairs, as in `mx8:vision:imagefolder;label_id=3`. */
import { Mx8Error } from '../base/errors.ts';
import type { SampleRecord } from './record.ts';

export interface DecodeHint {
  /** Such as `mx8:vision:imagefolder`. */
  readonly kind: string;
  readonly fields: ReadonlyMap<string, string>;
}

export const IMAGEFOLDER_KIND = 'mx8:vision:imagefolder';
export const VIDEO_KIND = 'mx8:video';
/** What a batch carries for a sample without a class. */
export const NO_LABEL = -1;

const LABEL_FIELD = 'label_id=';
const MX8_PREFIX = 'mx8:';
/** Batches carry classes as 32 signed bits. */
const LABEL_ID_MAX = 2 ** 31 - 1;

/** Null for text that is not a hint in this form; such hints are other programs' affair. */
export function parseHint(text: string): DecodeHint | null {
  const [kind = '', ...pairs] = text.split(';');
  if (!kind.startsWith(MX8_PREFIX)) return null;
  const fields = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals <= 0 || fields.has(pair.slice(0, equals))) return null;
    fields.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return { kind, fields };
}

export function formatHint(hint: DecodeHint): string {
  let text = hint.kind;
  for (const [key, value] of hint.fields) text += `;${key}=${value}`;
  return text;
}

export function imagefolderHint(labelId: number): string {
  return `${IMAGEFOLDER_KIND};${LABEL_FIELD}${labelId}`;
}

/**
 * The class of the sample, or `NO_LABEL`. Asked once per sample, so the common cases do not take the
 * hint apart. `manifest_invalid` when an MX8 hint has a label_id that is no number.
 */
export function labelIdOf(record: SampleRecord): number {
  const { decodeHint } = record;
  if (decodeHint === '' || !decodeHint.startsWith(MX8_PREFIX)) return NO_LABEL;
  const at = decodeHint.indexOf(`;${LABEL_FIELD}`);
  if (at === -1) return NO_LABEL;
  const start = at + 1 + LABEL_FIELD.length;
  const semicolon = decodeHint.indexOf(';', start);
  const text = decodeHint.slice(start, semicolon === -1 ? undefined : semicolon);
  const labelId = /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  if (labelId <= LABEL_ID_MAX) return labelId;
  throw new Mx8Error(
    'manifest_invalid',
    `The decode hint of sample ${record.sampleId} at ${record.location} has the label_id "${text}", which is not a whole number from 0 to ${LABEL_ID_MAX}.`,
    { sample_id: record.sampleId, location: record.location },
  );
}
