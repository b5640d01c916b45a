/** Rows of a table, decoded: a row group of Parquet, or a record batch of Arrow, as columns. */
import type { ColumnData, ColumnField } from '../core/format/column-data.ts';

export interface TableGroup {
  /** Where in the file it starts. */
  readonly at: number;
  readonly rows: number;
  readonly fields: readonly ColumnField[];
  readonly columns: readonly ColumnData[];
}

/** A file of groups. A group is valid until the next is asked for, by whom ever. */
export interface OpenTable {
  /** Those with rows, in order. */
  groups(): AsyncGenerator<TableGroup, void, undefined>;
  /** The one that starts there; `FormatError` where none does. `upcoming`: where those start that will be asked for next. */
  groupAt(at: number, upcoming?: readonly number[]): Promise<TableGroup>;
  /** Nothing more is asked for: what is under way is of no use. */
  leave(): void;
}
