/** A slice of a canonical manifest to columns, without taking its lines apart as text. */
import { decodeSlice } from './decode-slice.ts';
import { LikeLines } from './like-lines.ts';
import { LOOK_CLOSER, LineScanner } from './line-scanner.ts';
import { MANIFEST_LINE_BYTES_MAX } from './limits.ts';
import { RecordTable, newColumns } from './record-table.ts';
import { Texts } from './texts.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Records [start, end) from exactly their lines, which must stay as they are. What is not as it should
 * be is `manifest_invalid`, as `decodeSlice` says it.
 */
export function decodeTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  source: string = 'the manifest',
): RecordTable {
  return scanned(bytes, start, end) ?? RecordTable.of(decodeSlice(bytes, start, source));
}

/** Null when anything needs a closer look. */
function scanned(bytes: Uint8Array, start: number, end: number): RecordTable | null {
  const count = end - start;
  const scanner = new LineScanner(start);
  const likes = new LikeLines(bytes);
  const columns = newColumns(count);
  const locations = new Texts(bytes);
  const hints = new Texts(bytes);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at >= bytes.length) return null;
    const next = scanner.scan(bytes, at);
    if (next === LOOK_CLOSER || next > bytes.length) return null;
    if (next - at > MANIFEST_LINE_BYTES_MAX) return null;
    columns.byteOffsets[index] = scanner.byteOffset;
    columns.byteLengths[index] = scanner.byteLength;
    const isLike = scanner.isSameLocation && index > 0;
    if (!isLike) locations.add(scanner.locationStart, scanner.locationEnd);
    columns.locationOf[index] = locations.count - 1;
    const isNewHint = hints.addUnlessSame(scanner.hintStart, next - 1);
    columns.hintOf[index] = hints.count - 1;
    at = next;
    if (isLike && !isNewHint && scanner.byteOffset >= 0) {
      // Two that are alike: there are more of them as a rule.
      const last = likes.pass(scanner, next, start, index + 1, count, columns);
      columns.locationOf.fill(locations.count - 1, index + 1, last);
      columns.hintOf.fill(hints.count - 1, index + 1, last);
      index = last - 1;
      at = likes.at;
      scanner.expect(start + last);
    } else scanner.expectNext();
  }
  if (at !== bytes.length) return null;
  for (let index = 0; index < count; index += 1) columns.sampleIds[index] = start + index;
  const isAscii = scanner.seenBits < 0x80;
  if (!isAscii && !isUtf8(bytes)) return null;
  locations.isAscii = isAscii;
  hints.isAscii = isAscii;
  return new RecordTable({ ...columns, locations, hints });
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
