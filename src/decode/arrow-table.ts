/** One record batch, decoded: what is in it is looked at before its values are taken. */
import { zstdDecompressSync } from 'node:zlib';
import { CompressionType, Type, setCompressionCodec, tableFromIPC } from '@uwdata/flechette';
import type { Column, DataType, ExtractionOptions, Table } from '@uwdata/flechette';

import { FormatError } from '../core/format/format-error.ts';
import { lz4Frame } from '../core/format/lz4.ts';
import { keyText, valueText } from './json-lines.ts';
import { TABLE_GROUP_BYTES_MAX } from './limits.ts';

const OPTIONS: ExtractionOptions = { useBigInt: true, useDate: true };

/** What may still come out of the batch that is being decoded. The decoder's codecs are the process's, and know no batch. */
let unpackBytesLeft = 0;

function within(decompress: (input: Uint8Array, bytesMax: number) => Uint8Array): {
  readonly decode: (input: Uint8Array) => Uint8Array;
  readonly encode: (input: Uint8Array) => never;
} {
  return {
    decode: (input) => {
      const output = decompress(input, unpackBytesLeft);
      unpackBytesLeft -= output.length;
      // Numbers are read where they lie, so they must lie at a multiple of their size. No Buffer: it has a JSON of its own.
      const { buffer, byteOffset, length } = output;
      return byteOffset % 8 === 0 ? new Uint8Array(buffer, byteOffset, length) : output.slice();
    },
    encode: () => {
      throw new RangeError('nothing is compressed here');
    },
  };
}

setCompressionCodec(CompressionType.LZ4_FRAME, within(lz4Frame));
setCompressionCodec(
  CompressionType.ZSTD,
  within((input, bytesMax) =>
    zstdDecompressSync(input, { maxOutputLength: Math.max(1, bytesMax) }),
  ),
);

/** The JSON of each row of the record batch among `messages`, which begin with the schema. */
export function rowTexts(
  messages: Uint8Array[],
  rows: number,
  columns: readonly string[] | null,
  at: number,
): (row: number) => string {
  const fields = told(at, () =>
    decodedColumns(messages, rows, columns, at).map(({ name, type, batch }) => {
      const convert = conversionOf(type);
      const valueOf = (row: number): unknown => batch.at(row);
      const key = keyText(name);
      return { key, valueOf: convert === null ? valueOf : (row: number) => convert(valueOf(row)) };
    }),
  );
  return (row) =>
    told(at, () => {
      let text = '';
      for (const { key, valueOf } of fields) {
        text += `${text === '' ? '{' : ','}${key}${valueText(valueOf(row))}`;
      }
      return text === '' ? '{}' : `${text}}`;
    });
}

/** A column of one record batch. */
export interface DecodedColumn {
  readonly name: string;
  readonly type: DataType;
  readonly isNullable: boolean;
  readonly batch: Values;
}

/** Those that were chosen; their lengths and offsets have been looked at. */
export function decodedColumns(
  messages: Uint8Array[],
  rows: number,
  columns: readonly string[] | null,
  at: number,
): readonly DecodedColumn[] {
  unpackBytesLeft = TABLE_GROUP_BYTES_MAX;
  return chosenOf(tableFromIPC(messages, OPTIONS), columns, at).map(
    ({ name, isNullable, column }) => {
      const batch = column.data[0];
      if (batch === undefined || batch.length !== rows) {
        throw new RangeError(
          `column ${JSON.stringify(name)} has not the ${rows} rows of its batch`,
        );
      }
      checkValues(batch);
      return { name, type: column.type, isNullable, batch };
    },
  );
}

/** What goes wrong in `read`, as an error of the file. */
export function told<T>(at: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`an Arrow record batch that cannot be decoded (${reason})`, at);
  }
}

interface Chosen {
  readonly name: string;
  readonly isNullable: boolean;
  readonly column: Column<unknown>;
}

function chosenOf(table: Table, columns: readonly string[] | null, at: number): readonly Chosen[] {
  const all = table.schema.fields.map(({ name, nullable: isNullable }, index) => ({
    name,
    isNullable,
    column: table.getChildAt(index),
  }));
  if (columns === null) return all;
  return columns.map((name) => {
    const found = all.find((column) => column.name === name);
    if (found !== undefined) return found;
    throw new FormatError(`the file has no column ${JSON.stringify(name)}`, at);
  });
}

/** What the classes of the decoder have in common. */
export interface Values {
  readonly type: DataType;
  readonly length: number;
  readonly nullCount: number;
  readonly validity?: Uint8Array;
  readonly values?: ArrayBufferView & { readonly length: number };
  readonly offsets?: ArrayLike<number | bigint>;
  readonly sizes?: ArrayLike<number | bigint>;
  readonly children?: readonly Values[];
  readonly typeIds?: unknown;
  readonly dictionary?: { readonly data: readonly Values[] };
  at(index: number): unknown;
}

/** Types of which each value is one of the numbers in `values`. */
const NUMBERS: ReadonlySet<number> = new Set([
  Type.Int,
  Type.Float,
  Type.Date,
  Type.Time,
  Type.Timestamp,
  Type.Duration,
  Type.Dictionary,
]);

/** That texts and lists are of what is there: a damaged offset would make a list of a billion values. */
function checkValues(batch: Values): void {
  const { type, length, offsets, sizes, children = [], typeIds, dictionary } = batch;
  const room = children[0]?.length ?? batch.values?.length ?? 0;
  if (NUMBERS.has(type.typeId) && room < length) {
    throw new RangeError(`${room} numbers for ${length} values`);
  }
  if (type.typeId === Type.FixedSizeList && !(type.stride >= 0 && type.stride * length <= room)) {
    throw new RangeError(`${length} lists of ${type.stride} of ${room} values`);
  }
  // The offsets of a union are each of another child, and taken one at a time.
  if (offsets !== undefined && typeIds === undefined) {
    let before = 0;
    const count = sizes === undefined ? length + 1 : length;
    // No row, no offsets.
    for (let index = 0; index < count && length > 0; index += 1) {
      const start = Number(offsets[index] ?? -1);
      const end = sizes === undefined ? start : start + Number(sizes[index] ?? -1);
      const isInOrder = sizes === undefined ? start >= before : start >= 0 && end >= start;
      if (!isInOrder || end > room) throw new RangeError(`a value ends at ${end} of ${room}`);
      before = start;
    }
  }
  for (const child of children) checkValues(child);
  for (const child of dictionary?.data ?? []) checkValues(child);
}

type Conversion = (value: unknown) => unknown;

/** Of lists of single bytes, which would pass for bytes, and maps, which are objects where their keys are texts. */
export function conversionOf(type: DataType): Conversion | null {
  switch (type.typeId) {
    case Type.Dictionary:
      return conversionOf(type.dictionary);
    case Type.List:
    case Type.LargeList:
    case Type.ListView:
    case Type.LargeListView:
    case Type.FixedSizeList: {
      const child = type.children[0]?.type;
      return child === undefined ? null : listConversion(child);
    }
    case Type.Map:
      return mapConversion;
    case Type.Struct: {
      const fields = type.children.map(
        ({ name, type: child }) => [name, conversionOf(child)] as const,
      );
      if (fields.every(([, convert]) => convert === null)) return null;
      return (value) => {
        if (!isFields(value)) return value;
        return Object.fromEntries(
          fields.map(([name, convert]) => [name, convert?.(value[name]) ?? value[name] ?? null]),
        );
      };
    }
    default:
      return null;
  }
}

function listConversion(child: DataType): Conversion | null {
  const convert = conversionOf(child);
  const isBytes = child.typeId === Type.Int && child.bitWidth === 8;
  if (convert === null && !isBytes) return null;
  return (value) => {
    if (!isArrayLike(value)) return value;
    return Array.from(value, (item) => convert?.(item) ?? item);
  };
}

/** The decoder gives pairs. */
function mapConversion(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const pairs = value as readonly (readonly [unknown, unknown])[];
  return pairs.every(([key]) => typeof key === 'string')
    ? Object.fromEntries(pairs as readonly (readonly [string, unknown])[])
    : pairs;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isArrayLike(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}
