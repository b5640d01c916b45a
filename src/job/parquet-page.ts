/** One page of a leaf: its levels, and behind them its values as they lie in memory, compressed with zstd. */
import { zstdCompressSync } from 'node:zlib';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js';

import { bitAt, widthOf } from '../core/format/column-data.ts';
import type { LeafShape } from './parquet-shape.ts';
import type { LeafSlots } from './parquet-slots.ts';

/** Least and greatest, as they are stored; null where that says nothing. */
export interface Extremes {
  readonly min: number | bigint;
  readonly max: number | bigint;
}

export interface EncodedPage {
  /** With its header. */
  readonly bytes: Uint8Array;
  /** The same, if nothing were compressed. */
  readonly plainBytes: number;
  readonly slots: number;
  readonly nulls: number;
  readonly extremes: Extremes | null;
}

/** `rows` are those that the slots are of. */
export function encodePage(leaf: LeafShape, slots: LeafSlots, rows: number): EncodedPage {
  const present = positionsOf(slots.at);
  const values = plainValues(leaf, slots, present);
  const levels = new ByteWriter();
  const { definitionMax, repetitionMax } = leaf;
  const repetitionBytes =
    repetitionMax === 0
      ? 0
      : writeRleBitPackedHybrid(levels, slots.repetitions, bitsOf(repetitionMax));
  const definitionBytes =
    definitionMax === 0
      ? 0
      : writeRleBitPackedHybrid(levels, slots.definitions, bitsOf(definitionMax));
  const packed = values.length === 0 ? values : zstdCompressSync(values);
  const page = new ByteWriter();
  const nulls = slots.at.length - present.length;
  writePageHeader(page, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: levels.offset + values.length,
    compressed_page_size: levels.offset + packed.length,
    data_page_header_v2: {
      num_values: slots.at.length,
      num_nulls: nulls,
      num_rows: rows,
      encoding: 'PLAIN',
      definition_levels_byte_length: definitionBytes,
      repetition_levels_byte_length: repetitionBytes,
      is_compressed: values.length > 0,
    },
  });
  const plainBytes = page.offset + levels.offset + values.length;
  const bytes = Buffer.concat([page.getBytes(), levels.getBytes(), packed]);
  return { bytes, plainBytes, slots: slots.at.length, nulls, extremes: extremesOf(leaf, values) };
}

/** Those that are not null. */
function positionsOf(at: Int32Array): Int32Array {
  const present = new Int32Array(at.length);
  let count = 0;
  for (let slot = 0; slot < at.length; slot += 1) {
    const position = at[slot] as number;
    present[count] = position;
    if (position !== -1) count += 1;
  }
  return present.subarray(0, count);
}

function bitsOf(max: number): number {
  return 32 - Math.clz32(max);
}

function plainValues(leaf: LeafShape, { column }: LeafSlots, present: Int32Array): Uint8Array {
  const values = column.values ?? new Uint8Array(0);
  const { kind } = leaf.type;
  if (kind === 'bool') return bits(values, present);
  if (column.offsets !== null) return texts(values, column.offsets, present);
  const width = widthOf(leaf.type);
  if (leaf.scale !== 1 || width !== leaf.storedWidth) return converted(leaf, values, present);
  const count = present.length;
  const first = present[0] ?? 0;
  if ((present[count - 1] ?? first) - first + 1 === count || count === 0) {
    return values.slice(first * width, (first + count) * width);
  }
  const packed = new Uint8Array(count * width);
  for (let index = 0; index < count; index += 1) {
    const from = (present[index] as number) * width;
    for (let byte = 0; byte < width; byte += 1) {
      packed[index * width + byte] = values[from + byte] as number;
    }
  }
  return packed;
}

function bits(values: Uint8Array, present: Int32Array): Uint8Array {
  const packed = new Uint8Array((present.length + 7) >> 3);
  for (const [index, position] of present.entries()) {
    if (bitAt(values, position))
      packed[index >> 3] = (packed[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return packed;
}

/** Each with its length before it. */
function texts(values: Uint8Array, offsets: Int32Array, present: Int32Array): Uint8Array {
  let length = present.length * 4;
  for (const position of present) {
    length += (offsets[position + 1] as number) - (offsets[position] as number);
  }
  const packed = new Uint8Array(length);
  const view = new DataView(packed.buffer);
  let to = 0;
  for (const position of present) {
    const start = offsets[position] as number;
    const end = offsets[position + 1] as number;
    view.setUint32(to, end - start, true);
    packed.set(values.subarray(start, end), to + 4);
    to += 4 + end - start;
  }
  return packed;
}

const DAY_MS = 86_400_000n;

/** Numbers that are stored wider than they are, and times in another unit. */
function converted(leaf: LeafShape, values: Uint8Array, present: Int32Array): Uint8Array {
  const { type, storedWidth, scale } = leaf;
  const width = widthOf(type);
  const from = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const packed = new Uint8Array(present.length * storedWidth);
  const to = new DataView(packed.buffer);
  const isSigned = type.kind !== 'int' || type.isSigned;
  for (const [index, position] of present.entries()) {
    const whole = wholeAt(from, position * width, width, isSigned);
    // Half a day before 1970 is the day before, not 1970.
    const days = whole / DAY_MS - (whole % DAY_MS < 0n ? 1n : 0n);
    const stored = scale === 'days' ? days : whole * BigInt(scale);
    if (storedWidth === 8) to.setBigInt64(index * 8, BigInt.asIntN(64, stored), true);
    else to.setInt32(index * 4, Number(BigInt.asIntN(32, stored)), true);
  }
  return packed;
}

function wholeAt(view: DataView, at: number, width: number, isSigned: boolean): bigint {
  if (width === 8) return isSigned ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  if (width === 4) return BigInt(isSigned ? view.getInt32(at, true) : view.getUint32(at, true));
  if (width === 2) return BigInt(isSigned ? view.getInt16(at, true) : view.getUint16(at, true));
  return BigInt(isSigned ? view.getInt8(at) : view.getUint8(at));
}

/** Of numbers and times: readers pass over groups that have none of what they look for. */
function extremesOf({ type, element }: LeafShape, values: Uint8Array): Extremes | null {
  const isUnsigned = type.kind === 'int' && !type.isSigned;
  const { buffer, byteOffset } = values;
  const count = values.length >> (element.type === 'INT64' || element.type === 'DOUBLE' ? 3 : 2);
  switch (element.type) {
    case 'INT32':
      return isUnsigned
        ? extremes(new Uint32Array(buffer, byteOffset, count))
        : extremes(new Int32Array(buffer, byteOffset, count));
    case 'INT64':
      return isUnsigned
        ? extremes(new BigUint64Array(buffer, byteOffset, count))
        : extremes(new BigInt64Array(buffer, byteOffset, count));
    case 'FLOAT':
      return withoutSign(extremes(new Float32Array(buffer, byteOffset, count)));
    case 'DOUBLE':
      return withoutSign(extremes(new Float64Array(buffer, byteOffset, count)));
    default:
      return null;
  }
}

/** NaN is neither less nor more than anything. */
function extremes(values: ArrayLike<number> | ArrayLike<bigint>): Extremes | null {
  let min: number | bigint | null = null;
  let max: number | bigint | null = null;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number | bigint;
    if (min === null || max === null) {
      if (Number.isNaN(value)) continue;
      min = value;
      max = value;
    } else if (value < min) {
      min = value;
    } else if (value > max) {
      max = value;
    }
  }
  return min === null || max === null ? null : { min, max };
}

/** Zeros of both signs are one number; the file's rules want the range to have both. */
function withoutSign(of: Extremes | null): Extremes | null {
  if (of === null) return null;
  return { min: of.min === 0 ? -0 : of.min, max: of.max === 0 ? 0 : of.max };
}

export function mergeExtremes(a: Extremes | null, b: Extremes | null): Extremes | null {
  if (a === null || b === null) return a ?? b;
  return { min: a.min <= b.min ? a.min : b.min, max: a.max >= b.max ? a.max : b.max };
}
