/** Rows of a table, decoded: a row group of Parquet, or a record batch of Arrow, as columns. */
import type { ColumnData, ColumnField } from '../core/format/column-data.ts';

export interface TableGroup {
  /** Where in the file it starts: decoding can begin there. */
  readonly at: number;
  readonly rows: number;
  readonly fields: readonly ColumnField[];
  readonly columns: readonly ColumnData[];
}
