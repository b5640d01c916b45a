/**
 * Columns in memory as Arrow lays them out: numbers next to each other, texts as bytes with offsets, a bit per
 * value for what is null. Decoders make them, `arrow-write.ts` takes row ranges of them, `arrow-read.ts` reads them.
 */

export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

export type ColumnType =
  | { readonly kind: 'null' | 'bool' | 'utf8' | 'binary' }
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly isSigned: boolean }
  | { readonly kind: 'float'; readonly bits: 16 | 32 | 64 }
  /** Values of so many bytes. */
  | { readonly kind: 'bytes'; readonly width: number }
  /** Days, or milliseconds in 64 bits. */
  | { readonly kind: 'date'; readonly unit: 'day' | 'ms' }
  /** Of a day: in 32 bits up to milliseconds, in 64 beyond. */
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly zone: string | null }
  | { readonly kind: 'duration'; readonly unit: TimeUnit }
  | { readonly kind: 'list'; readonly item: ColumnField }
  /** Lists of `size` items each. */
  | { readonly kind: 'fixed_list'; readonly item: ColumnField; readonly size: number }
  | { readonly kind: 'struct'; readonly fields: readonly ColumnField[] }
  /** Lists of structs of a key and a value. */
  | { readonly kind: 'map'; readonly item: ColumnField };

export interface ColumnField {
  readonly name: string;
  readonly type: ColumnType;
  readonly isNullable: boolean;
}

export interface ColumnData {
  readonly type: ColumnType;
  readonly length: number;
  readonly nullCount: number;
  /** A bit for each value, 0 where it is null; null where none is. */
  readonly validity: Uint8Array | null;
  /** Bytes of the numbers, bits of what is true or false, bytes of all texts; null for others. */
  readonly values: Uint8Array | null;
  /** Of texts, bytes, lists and maps: value i is [offsets[i], offsets[i + 1]) of what follows. */
  readonly offsets: Int32Array | null;
  readonly children: readonly ColumnData[];
}

/** Bytes of a value where all are as long; 0 where they are not, or are bits. */
export function widthOf(type: ColumnType): number {
  switch (type.kind) {
    case 'int':
    case 'float':
      return type.bits / 8;
    case 'bytes':
      return type.width;
    case 'date':
      return type.unit === 'day' ? 4 : 8;
    case 'time':
      return type.unit === 's' || type.unit === 'ms' ? 4 : 8;
    case 'timestamp':
    case 'duration':
      return 8;
    default:
      return 0;
  }
}

/** What its children are called. */
export function fieldsOf(type: ColumnType): readonly ColumnField[] {
  switch (type.kind) {
    case 'list':
    case 'fixed_list':
    case 'map':
      return [type.item];
    case 'struct':
      return type.fields;
    default:
      return [];
  }
}

/** As Arrow calls it: `int64`, `float32`, `timestamp[us]`, `list<float32>`. */
export function typeText(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return `${type.isSigned ? 'int' : 'uint'}${type.bits}`;
    case 'float':
      return `float${type.bits}`;
    case 'bytes':
      return `fixed_size_binary[${type.width}]`;
    case 'date':
      return type.unit === 'day' ? 'date32' : 'date64';
    case 'time':
    case 'duration':
      return `${type.kind}[${type.unit}]`;
    case 'timestamp':
      return `timestamp[${type.unit}${type.zone === null ? '' : `, ${type.zone}`}]`;
    case 'list':
      return `list<${typeText(type.item.type)}>`;
    case 'fixed_list':
      return `fixed_size_list<${typeText(type.item.type)}>[${type.size}]`;
    case 'struct':
      return `struct<${type.fields.map(({ name, type: of }) => `${name}: ${typeText(of)}`).join(', ')}>`;
    case 'map':
      return `map<${fieldsOf(type.item.type)
        .map(({ type: of }) => typeText(of))
        .join(', ')}>`;
    default:
      return type.kind;
  }
}

/** Whether bit `index` is set. */
export function bitAt(bits: Uint8Array, index: number): boolean {
  return (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** Set bits among [from, to). */
export function countBits(bits: Uint8Array, from: number, to: number): number {
  let count = 0;
  let index = from;
  for (; index < to && (index & 7) !== 0; index += 1) if (bitAt(bits, index)) count += 1;
  for (; index + 8 <= to; index += 8) count += ONES[bits[index >> 3] ?? 0] ?? 0;
  for (; index < to; index += 1) if (bitAt(bits, index)) count += 1;
  return count;
}

const ONES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
});

/** A bit for each byte, set where that is not 0. */
export function packBits(bytes: Uint8Array, count: number): Uint8Array {
  const bits = new Uint8Array((count + 7) >> 3);
  for (let index = 0; index < count; index += 1) {
    if (bytes[index] !== 0) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}
