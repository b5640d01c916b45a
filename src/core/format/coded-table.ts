import type { RecordTable } from '../manifest/record-table.ts';
import { CODED_MARK, codedPartOf } from './coded-part.ts';
import type { CodedPart } from './coded-part.ts';

/** Of each record, null where its bytes are those of the sample; null when that holds for all of them. */
export function codedPartsOf(table: RecordTable): readonly (CodedPart | null)[] | null {
  // Nearly all data sets have none, and are read at millions of samples a second.
  if (!table.mayHint(CODED_MARK)) return null;
  let parts: (CodedPart | null)[] | null = null;
  let hint = -1;
  let part: CodedPart | null = null;
  for (let index = 0; index < table.length; index += 1) {
    const next = table.hintNumber(index);
    if (next !== hint) {
      hint = next;
      part = codedPartOf(table.hint(index));
    }
    if (part === null && parts === null) continue;
    parts ??= new Array<CodedPart | null>(index).fill(null);
    parts.push(part);
  }
  return parts;
}
