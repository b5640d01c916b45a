/** One sample of a MosaicML shard: the lengths of its values of no fixed size, then all values. */
import { utf8 } from './csv-fields.ts';
import { FormatError } from './format-error.ts';
import type { MdsColumn } from './mds-index.ts';

export function mdsParts(
  columns: readonly MdsColumn[],
  bytes: Uint8Array,
): Map<string, Uint8Array> {
  const view = viewOf(bytes);
  const open = columns.filter((column) => column.bytes === null).length;
  let lengthAt = 0;
  let at = open * 4;
  if (at > bytes.length) throw new FormatError('it ends before the lengths of its values do', 0);
  const parts = new Map<string, Uint8Array>();
  for (const column of columns) {
    const length = column.bytes ?? view.getUint32(lengthAt, true);
    if (column.bytes === null) lengthAt += 4;
    if (at + length > bytes.length) {
      const what = `its column ${column.name} is said to have ${length} bytes, more than are left`;
      throw new FormatError(what, at);
    }
    parts.set(column.name, bytes.subarray(at, at + length));
    at += length;
  }
  if (at === bytes.length) return parts;
  throw new FormatError(`${bytes.length - at} bytes follow its last column`, at);
}

/** A value of a plain type; what is encoded in another way (jpeg, pkl, ndarray, …) stays bytes. */
export function mdsValue({ name, encoding }: MdsColumn, bytes: Uint8Array): unknown {
  const fixed = FIXED[encoding];
  if (fixed !== undefined) {
    if (bytes.length !== fixed.bytes) {
      const what = `its column ${name} of ${encoding} has ${bytes.length} bytes, not ${fixed.bytes}`;
      throw new FormatError(what, 0);
    }
    return fixed.read(viewOf(bytes));
  }
  switch (encoding) {
    case 'str':
    case 'str_decimal':
      return utf8(bytes);
    case 'str_int':
      return whole(BigInt(utf8(bytes)));
    case 'str_float':
      return Number(utf8(bytes));
    case 'json':
      return parseJson(utf8(bytes));
    default:
      return bytes;
  }
}

const FIXED: Readonly<
  Record<string, { readonly bytes: number; readonly read: (view: DataView) => unknown }>
> = {
  int: { bytes: 8, read: (view) => whole(view.getBigInt64(0, true)) },
  int64: { bytes: 8, read: (view) => whole(view.getBigInt64(0, true)) },
  uint64: { bytes: 8, read: (view) => whole(view.getBigUint64(0, true)) },
  int32: { bytes: 4, read: (view) => view.getInt32(0, true) },
  uint32: { bytes: 4, read: (view) => view.getUint32(0, true) },
  int16: { bytes: 2, read: (view) => view.getInt16(0, true) },
  uint16: { bytes: 2, read: (view) => view.getUint16(0, true) },
  int8: { bytes: 1, read: (view) => view.getInt8(0) },
  uint8: { bytes: 1, read: (view) => view.getUint8(0) },
  float64: { bytes: 8, read: (view) => view.getFloat64(0, true) },
  float32: { bytes: 4, read: (view) => view.getFloat32(0, true) },
  float16: { bytes: 2, read: (view) => view.getFloat16(0, true) },
};

/** A number where it can be one. */
function whole(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`it is not JSON: ${reason}`, 0);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
