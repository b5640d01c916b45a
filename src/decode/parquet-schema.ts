/** What the columns of a Parquet file become, and which of them are decoded straight into memory as Arrow has it. */
import { parquetSchema } from 'hyparquet';
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import { isListLike, isMapLike } from 'hyparquet/src/schema.js';

import { FormatError } from '../core/format/format-error.ts';
import type { ColumnField, ColumnType, TimeUnit } from '../core/format/column-data.ts';

/** Where the values of a column are, and how deep. */
export interface Leaf {
  readonly path: readonly string[];
  readonly element: SchemaElement;
  readonly type: ColumnType;
  /** Of whole numbers of 8 and 16 bits, which are stored in 32. */
  readonly storedWidth: number;
  /** The definition level of a value that is not null. */
  readonly levelMax: number;
}

export type ColumnPlan =
  | { readonly type: 'flat'; readonly field: ColumnField; readonly leaf: Leaf }
  | {
      readonly type: 'list';
      readonly field: ColumnField;
      readonly leaf: Leaf;
      /** The definition level of a list that is empty: a lower one is null, a higher one has an item. */
      readonly emptyLevel: number;
    }
  /** Nested deeper, or of a rare type: by way of JavaScript values. */
  | { readonly type: 'other'; readonly field: ColumnField };

/** Those that were chosen, in the order in which they were; null: all. */
export function columnPlans(
  metadata: FileMetaData,
  columns: readonly string[] | null,
): readonly ColumnPlan[] {
  const { children } = parquetSchema(metadata);
  if (columns === null) return children.map(planOf);
  return columns.map((name) => {
    const found = children.find(({ element }) => element.name === name);
    if (found !== undefined) return planOf(found);
    throw new FormatError(`the file has no column ${JSON.stringify(name)}`, 0);
  });
}

function planOf(tree: SchemaTree): ColumnPlan {
  const { element, children } = tree;
  const isNullable = element.repetition_type === 'OPTIONAL';
  const outer = isNullable ? 1 : 0;
  if (children.length === 0 && element.repetition_type !== 'REPEATED') {
    const leaf = leafOf(tree, outer);
    if (leaf !== null) {
      return { type: 'flat', field: { name: element.name, type: leaf.type, isNullable }, leaf };
    }
  }
  const item = isListLike(tree) ? itemOf(tree) : null;
  if (item !== null) {
    const isItemNullable = item.element.repetition_type === 'OPTIONAL';
    const leaf = leafOf(item, outer + 1 + (isItemNullable ? 1 : 0));
    if (leaf !== null) {
      const of = { name: 'item', type: leaf.type, isNullable: isItemNullable };
      const field = { name: element.name, type: { kind: 'list' as const, item: of }, isNullable };
      return { type: 'list', field, leaf, emptyLevel: outer };
    }
  }
  return { type: 'other', field: { name: element.name, type: nestedType(tree), isNullable: true } };
}

/** The item of a list, which lies in a group of its own, or is repeated itself. */
function itemOf(tree: SchemaTree): SchemaTree | null {
  const repeated = tree.children[0];
  if (repeated === undefined) return null;
  if (repeated.children.length === 0) return repeated;
  const item = repeated.children[0];
  const isPlain = item?.children.length === 0 && item.element.repetition_type !== 'REPEATED';
  return isPlain && item !== undefined ? item : null;
}

function leafOf({ element, path }: SchemaTree, levelMax: number): Leaf | null {
  const type = leafType(element);
  if (type === null) return null;
  const { type: physical, type_length: length = 0 } = element;
  const storedWidth =
    physical === 'FIXED_LEN_BYTE_ARRAY'
      ? length
      : physical === 'INT64' || physical === 'DOUBLE'
        ? 8
        : 4;
  return { path, element, type, storedWidth, levelMax };
}

const UNITS = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' } as const;

/** Null for types whose bytes are not what Arrow has for them. */
function leafType(element: SchemaElement): ColumnType | null {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') return null;
  switch (type) {
    case 'BOOLEAN':
      return { kind: 'bool' };
    case 'FLOAT':
      return { kind: 'float', bits: 32 };
    case 'DOUBLE':
      return { kind: 'float', bits: 64 };
    case 'INT32':
      return wholeType(element, 32);
    case 'INT64':
      return wholeType(element, 64);
    case 'BYTE_ARRAY':
      if (converted === 'UTF8' || logical?.type === 'STRING') return { kind: 'utf8' };
      return converted === undefined && logical === undefined ? { kind: 'binary' } : null;
    case 'FIXED_LEN_BYTE_ARRAY':
      if (logical?.type === 'FLOAT16') return { kind: 'float', bits: 16 };
      if (converted !== undefined || logical !== undefined) return null;
      return (element.type_length ?? 0) > 0
        ? { kind: 'bytes', width: element.type_length ?? 0 }
        : null;
    default:
      return null;
  }
}

function wholeType(element: SchemaElement, stored: 32 | 64): ColumnType {
  const { converted_type: converted, logical_type: logical } = element;
  if (converted === 'DATE' || logical?.type === 'DATE') return { kind: 'date', unit: 'day' };
  if (logical?.type === 'TIMESTAMP') {
    const zone = logical.isAdjustedToUTC ? 'UTC' : null;
    return { kind: 'timestamp', unit: UNITS[logical.unit], zone };
  }
  if (logical?.type === 'TIME') return { kind: 'time', unit: UNITS[logical.unit] };
  const unit = unitOf(converted);
  if (converted?.startsWith('TIMESTAMP_') === true && unit !== null) {
    return { kind: 'timestamp', unit, zone: 'UTC' };
  }
  if (converted?.startsWith('TIME_') === true && unit !== null) return { kind: 'time', unit };
  const named = /^(U?)INT_(8|16|32|64)$/.exec(converted ?? '');
  const bits = logical?.type === 'INTEGER' ? logical.bitWidth : Number(named?.[2] ?? stored);
  const isSigned = logical?.type === 'INTEGER' ? logical.isSigned : named?.[1] !== 'U';
  const fitting = stored === 64 ? 64 : bits === 8 || bits === 16 ? bits : 32;
  return { kind: 'int', bits: fitting, isSigned };
}

function unitOf(converted: string | undefined): TimeUnit | null {
  if (converted?.endsWith('_MILLIS') === true) return 'ms';
  return converted?.endsWith('_MICROS') === true ? 'us' : null;
}

/** What the decoder's JavaScript values are put into. What has no columns of its own is the text of its JSON. */
function nestedType(tree: SchemaTree): ColumnType {
  const { element, children } = tree;
  if (element.repetition_type === 'REPEATED') {
    return listOf(nestedType({ ...tree, element: { ...element, repetition_type: 'REQUIRED' } }));
  }
  if (isMapLike(tree) || element.logical_type?.type === 'VARIANT') return { kind: 'utf8' };
  if (isListLike(tree)) {
    const repeated = tree.children[0];
    const inner = repeated?.children.length === 1 ? repeated.children[0] : repeated;
    if (inner === undefined) return { kind: 'utf8' };
    return listOf(
      nestedType({ ...inner, element: { ...inner.element, repetition_type: 'OPTIONAL' } }),
    );
  }
  if (children.length > 0) {
    const fields = children.map((child) => ({
      name: child.element.name,
      type: nestedType(child),
      isNullable: true,
    }));
    return { kind: 'struct', fields };
  }
  return valueType(element);
}

function listOf(type: ColumnType): ColumnType {
  return { kind: 'list', item: { name: 'item', type, isNullable: true } };
}

/** Of single values: times are to the millisecond, and numbers with decimals floating, as in rows. */
function valueType(element: SchemaElement): ColumnType {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL') return { kind: 'float', bits: 64 };
  const plain = leafType(element);
  if (plain?.kind === 'timestamp') return { ...plain, unit: 'ms' };
  if (plain?.kind === 'float' && plain.bits === 16) return { kind: 'float', bits: 32 };
  if (plain !== null) return plain;
  if (type === 'INT96') return { kind: 'timestamp', unit: 'ms', zone: null };
  const isBytes = converted === 'ENUM' || (converted === undefined && logical === undefined);
  return isBytes ? { kind: 'binary' } : { kind: 'utf8' };
}
