import { NO_LABEL, labelIdOf } from '../core/manifest/decode-hint.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';

/** The class of each sample, -1 where it has none. */
export function labelIds(table: RecordTable): Int32Array {
  const ids = new Int32Array(table.length);
  let hint = -1;
  let labelId = NO_LABEL;
  for (let index = 0; index < ids.length; index += 1) {
    const next = table.hintNumber(index);
    if (next !== hint) {
      hint = next;
      labelId = labelIdOf(table.record(index));
    }
    ids[index] = labelId;
  }
  return ids;
}
