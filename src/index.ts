/** The door of the package: reading data. */
export { Mx8Error, isErrorCode } from './core/base/errors.ts';
export type { ErrorCode, ErrorDetails } from './core/base/errors.ts';
export type { ColumnTable, ColumnValues, TableColumn } from './core/format/column-table.ts';
export type { FormatChoice } from './core/format/format-name.ts';
export type { SampleRecord } from './core/manifest/record.ts';
export { load } from './loader/index.ts';
export type { Batch, DataInfo, LoadOptions, Loader, LoaderStats } from './loader/index.ts';
export type { EventFields, EventLevel, EventSink } from './ports/event-sink.ts';
