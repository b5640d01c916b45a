/** What packing says of a sample that is not what was listed. */
import { Mx8Error } from '../core/base/errors.ts';

/** Of a sample that has changed or gone since: what was listed is of no use any more. */
export function packError(error: unknown): unknown {
  if (!(error instanceof Mx8Error)) return error;
  const { code, details } = error;
  const where = String(details['location'] ?? 'a file of the input');
  const way = 'Restore it, or pack again with --refresh when nobody writes there.';
  if (code === 'sample_missing') {
    const text = `${where} is gone since the input was listed. ${way}`;
    return new Mx8Error('sample_missing', text, details, error);
  }
  // An empty file that was listed as one has no place in a batch.
  const isChange = code === 'sample_changed' || (code === 'file_empty' && 'sample_id' in details);
  if (!isChange) return error;
  const [expected, found] = [details['expected_bytes'], details['found_bytes']];
  const what =
    expected === undefined
      ? 'changed since the input was listed'
      : `changed since the input was listed: it had ${String(expected)} bytes and has ${String(found)}`;
  return new Mx8Error('sample_changed', `${where} ${what}. ${way}`, details, error);
}

/** It was read in pieces, and is not as large at the end as it was listed. */
export function resized(location: string, expectedBytes: number, foundBytes: number): Mx8Error {
  return new Mx8Error('sample_changed', `${location} changed while it was packed.`, {
    location,
    expected_bytes: expectedBytes,
    found_bytes: foundBytes,
  });
}
