/** Rows of tables as lines of JSON, in pieces. */
import { UNPACK_CHUNK_BYTES } from './limits.ts';
import type { UnpackedChunk } from './unpack.ts';

const encoder = new TextEncoder();

/** Rows 0 to `count` of the group of rows at byte `frameAt`; `textOf` gives the JSON of one. */
export function* jsonLines(
  count: number,
  textOf: (row: number) => string,
  frameAt: number,
): Generator<UnpackedChunk, void, undefined> {
  let offset = 0;
  let text = '';
  for (let row = 0; row < count; row += 1) {
    text += `${textOf(row)}\n`;
    if (text.length < UNPACK_CHUNK_BYTES && row < count - 1) continue;
    const bytes = encoder.encode(text);
    yield { bytes, frameAt, offset };
    offset += bytes.length;
    text = '';
  }
}

/** What JSON has no word for: whole numbers beyond 2^53 and bytes become texts, NaN and infinities too. */
export function plainly(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : value;
}
