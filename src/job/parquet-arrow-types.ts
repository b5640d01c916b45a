/** The types of `parquet()` as columns in memory have them. */
import type { ColumnField, ColumnType } from '../core/format/column-data.ts';
import type { ParquetColumnType, ParquetType } from './parquet-types.ts';

const SCALARS: Readonly<Record<ParquetType, ColumnType>> = {
  boolean: { kind: 'bool' },
  int32: { kind: 'int', bits: 32, isSigned: true },
  int64: { kind: 'int', bits: 64, isSigned: true },
  float: { kind: 'float', bits: 32 },
  double: { kind: 'float', bits: 64 },
  string: { kind: 'utf8' },
  bytes: { kind: 'binary' },
  timestamp: { kind: 'timestamp', unit: 'ms', zone: 'UTC' },
  json: { kind: 'utf8' },
};

export function arrowType(type: ParquetColumnType): ColumnType {
  if (!type.endsWith('[]')) return SCALARS[type as ParquetType];
  const item = { name: 'item', type: SCALARS[type.slice(0, -2) as ParquetType], isNullable: true };
  return { kind: 'list', item };
}

export function arrowFields(
  columns: readonly { readonly name: string; readonly type: ParquetColumnType }[],
): readonly ColumnField[] {
  return columns.map(({ name, type }) => ({ name, type: arrowType(type), isNullable: true }));
}
