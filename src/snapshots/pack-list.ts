/**
 * The list of what is packed, as it was when packing began: one line of JSON for each sample, in the order of their
 * ids. It lies beside the output until that is finished, so that whoever goes on packs what was
 * listed, on any machine, and where each sample comes to lie follows from the list.
 */
import { Mx8Error } from '../core/base/errors.ts';

export interface PackItem {
  /** Path below the input, with `/`; '' of a sample that is a part of a file. */
  readonly path: string;
  readonly location: string;
  /** Bytes of the sample. */
  readonly bytes: number;
  /** What the file was like: its time of modification, or `etagTag` of the object; 0 where nobody can say. */
  readonly tag: number;
  /** Where its bytes are in the file; -1: the sample is all of it. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /** How they are to be read. */
  readonly hint: string;
}

/** Items of a list that are handed on at once. */
const ITEMS_AT_ONCE = 1024;
const NEWLINE = 0x0a;

export function encodeItems(items: readonly PackItem[]): Uint8Array {
  let text = '';
  for (const { path, location, bytes, tag, byteOffset, byteLength, hint } of items) {
    const file = [path, location, bytes, tag];
    const line = byteOffset === -1 ? file : [...file, byteOffset, byteLength, hint];
    text += `${JSON.stringify(line)}\n`;
  }
  return Buffer.from(text);
}

/** `pack_not_resumable` where it is no such list. */
export async function* decodeItems(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<readonly PackItem[]> {
  let rest: Buffer = Buffer.alloc(0);
  let items: PackItem[] = [];
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    for (const line of bytes.toString('utf8', 0, end).split('\n')) {
      if (line !== '') items.push(decodeItem(line, where));
      if (items.length === ITEMS_AT_ONCE) {
        yield items;
        items = [];
      }
    }
    rest = bytes.subarray(end);
  }
  if (rest.length > 0) throw damagedList(where);
  if (items.length > 0) yield items;
}

function decodeItem(line: string, where: string): PackItem {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    throw damagedList(where);
  }
  if (!Array.isArray(fields)) throw damagedList(where);
  const [path, location, bytes, tag, byteOffset = -1, byteLength = -1, hint = ''] =
    fields as readonly unknown[];
  if (
    typeof path !== 'string' ||
    typeof location !== 'string' ||
    typeof hint !== 'string' ||
    typeof bytes !== 'number' ||
    typeof tag !== 'number' ||
    typeof byteOffset !== 'number' ||
    typeof byteLength !== 'number'
  ) {
    throw damagedList(where);
  }
  return { path, location, bytes, tag, byteOffset, byteLength, hint };
}

export function damagedList(where: string): Mx8Error {
  return new Mx8Error(
    'pack_not_resumable',
    `The list ${where} of what an interrupted pack was to copy is damaged, so nobody can go on with it. Give --refresh to begin anew.`,
    { path: where },
  );
}
