/** What the columns of `parquet()` may hold: how a value is checked, stored, and what a reader will see of it. */
import type { SchemaElement } from 'hyparquet-writer';

import { lossIn } from './jsonl-sink.ts';

export type ParquetType =
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'float'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  /** Any value that JSON can hold. */
  | 'json';

/** A type, or a list of it: `float[]`. Every column takes null, and so does a list. */
export type ParquetColumnType = ParquetType | `${ParquetType}[]`;

export interface ColumnKind {
  /** Elements of the file's schema for a column of this name. */
  elements(name: string): readonly SchemaElement[];
  /** The value as it is stored, in memory of its own; null stays null. Throws `Unfit`. */
  stored(value: unknown): unknown;
  /** What was stored, as a row of the file shows it in JSON. */
  shown(stored: unknown): unknown;
}

/** Why a value is none of its column. */
export class Unfit extends Error {}

const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;

interface Scalar {
  readonly element: Omit<SchemaElement, 'name'>;
  readonly stored: (value: unknown) => unknown;
  readonly shown?: (stored: unknown) => unknown;
}

const SCALARS: Readonly<Record<ParquetType, Scalar>> = {
  boolean: { element: { type: 'BOOLEAN' }, stored: (value) => ofType('boolean', value) },
  int32: {
    element: { type: 'INT32' },
    stored: (value) => {
      const isInt32 = Number.isInteger(value) && Math.abs(Number(value) + 0.5) <= INT32_MAX + 0.5;
      return isInt32 ? value : unfit(value, 'no whole number of 32 bits');
    },
  },
  int64: {
    element: { type: 'INT64' },
    stored: (value) => {
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
      const isInt64 = typeof value === 'bigint' && value <= INT64_MAX && value >= -INT64_MAX - 1n;
      return isInt64
        ? value
        : unfit(value, 'no whole number within 2^53, and no bigint of 64 bits');
    },
    shown: (stored) => {
      const number = Number(stored);
      return Number.isSafeInteger(number) ? number : String(stored);
    },
  },
  float: {
    element: { type: 'FLOAT' },
    stored: (value) => Math.fround(ofType('number', value)),
    shown: shownNumber,
  },
  double: {
    element: { type: 'DOUBLE' },
    stored: (value) => ofType('number', value),
    shown: shownNumber,
  },
  string: {
    element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
    stored: (value) => {
      const text = ofType('string', value);
      return text.isWellFormed() ? text : unfit(value, 'not valid Unicode');
    },
  },
  bytes: {
    element: { type: 'BYTE_ARRAY' },
    // A view of the batch would be another sample's by the time that the rows are written.
    stored: (value) =>
      value instanceof Uint8Array ? new Uint8Array(value) : unfit(value, 'no Uint8Array'),
    shown: (stored) => (stored instanceof Uint8Array ? Buffer.from(stored).toString('base64') : ''),
  },
  timestamp: {
    element: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
    stored: (value) => {
      if (isDate(value) && !Number.isNaN(value.getTime())) return value;
      return unfit(value, 'no valid Date');
    },
  },
  json: { element: { type: 'BYTE_ARRAY', converted_type: 'JSON' }, stored: storedJson },
};

export const PARQUET_TYPES: readonly string[] = Object.keys(SCALARS).flatMap((name) => [
  name,
  `${name}[]`,
]);

export function columnKind(type: ParquetColumnType): ColumnKind {
  const isList = type.endsWith('[]');
  const scalar = SCALARS[(isList ? type.slice(0, -2) : type) as ParquetType];
  return isList ? listKind(scalar) : scalarKind(scalar);
}

/** The type of a column by one value of it; null: a null says nothing. */
export function typeOfValue(value: unknown): ParquetColumnType | null {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'boolean':
      return 'boolean';
    case 'number':
      return 'double';
    case 'bigint':
      return 'int64';
    case 'string':
      return 'string';
    default:
      break;
  }
  if (isDate(value)) return 'timestamp';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Float32Array) return 'float[]';
  if (ArrayBuffer.isView(value)) return value instanceof BigInt64Array ? 'int64[]' : 'double[]';
  if (!Array.isArray(value)) return 'json';
  const types = new Set(value.map((item) => typeOfValue(item)));
  const [only = null] = types;
  if (types.size !== 1 || only === null) return 'json';
  return only === 'json' || only.endsWith('[]') ? 'json' : `${only as ParquetType}[]`;
}

function scalarKind({ element, stored, shown = (value) => value }: Scalar): ColumnKind {
  return {
    elements: (name) => [{ ...element, name, repetition_type: 'OPTIONAL' }],
    stored: (value) => (isNull(value) ? null : stored(value)),
    shown: (value) => (value === null ? null : shown(value)),
  };
}

function listKind(scalar: Scalar): ColumnKind {
  const item = scalarKind(scalar);
  return {
    elements: (name) => [
      { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      ...item.elements('element'),
    ],
    stored: (value) => {
      if (isNull(value)) return null;
      if (!isList(value)) return unfit(value, 'no array');
      return Array.from(value, (one) => item.stored(one));
    },
    shown: (value) => (isList(value) ? Array.from(value, (one) => item.shown(one)) : null),
  };
}

function ofType(type: 'boolean', value: unknown): boolean;
function ofType(type: 'number', value: unknown): number;
function ofType(type: 'string', value: unknown): string;
function ofType(type: string, value: unknown): unknown {
  return typeof value === type ? value : unfit(value, `no ${type}`);
}

function storedJson(value: unknown): unknown {
  const lost = lossIn(value, '', 0);
  if (lost !== null) throw new Unfit(lost);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new Unfit(error instanceof Error ? error.message : String(error));
  }
  // What comes back is what JSON makes of it, also of undefined fields and of dates.
  return text === undefined ? unfit(value, 'nothing that JSON can hold') : JSON.parse(text);
}

function shownNumber(stored: unknown): unknown {
  return Number.isFinite(stored) ? stored : String(stored);
}

function isNull(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** Without the global whose clock is banned. */
function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]';
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function unfit(value: unknown, why: string): never {
  const what =
    typeof value === 'object' && value !== null
      ? (value.constructor?.name ?? 'object')
      : `${typeof value} ${String(value)}`.slice(0, 60);
  throw new Unfit(`it is ${why} but ${what}`);
}
