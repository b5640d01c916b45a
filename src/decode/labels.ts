import { labelIdOf } from '../core/manifest/decode-hint.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

/** The class of each sample, -1 where it has none. */
export function labelIds(records: readonly SampleRecord[]): Int32Array {
  const ids = new Int32Array(records.length);
  let index = 0;
  for (const record of records) {
    ids[index] = labelIdOf(record);
    index += 1;
  }
  return ids;
}
