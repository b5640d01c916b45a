/** Door `mx8/job`: what a job module imports, and what runs one. */
export type { ColumnTable, ColumnValues, TableColumn } from '../core/format/column-table.ts';
export type { FormatChoice } from '../core/format/format-name.ts';
export { JobBatch, JobSample, type BatchSource } from './batch.ts';
export { columnTable, type ColumnSource, type NumberArray } from './column-table-of.ts';
export {
  defineJob,
  isJobDefinition,
  type JobContext,
  type JobDefinition,
  type JobOptions,
} from './define-job.ts';
export type { FileRow } from './file-rows.ts';
export { files } from './files-sink.ts';
export { finalizeOutput, type Finalized, type FinalizeOptions } from './finalize.ts';
export { jsonl, type JsonRow } from './jsonl-sink.ts';
export { checkJobFile, jobFileHash, loadJobModule, type LoadedJob } from './load-job-module.ts';
export { claimOutput, inspectOutput, type OutputClaim, type OutputState } from './output-folder.ts';
export { checkOutputOutside } from './output-outside.ts';
export type { QuarantinedSample } from './piece-index.ts';
export { processBatch, type OnError, type ProcessSetting } from './process-batch.ts';
export type { ParquetRow } from './parquet-columns.ts';
export type { ParquetTableRow } from './parquet-tables.ts';
export { parquet, type ParquetOptions } from './parquet-sink.ts';
export type { ParquetColumnType, ParquetType } from './parquet-types.ts';
export { publishPiece, type PieceName } from './publish.ts';
export type { AppendFile, OutputRecord, PartWriter, Sink, SinkPart } from './sink.ts';
export { StagedPart, type StagingOptions } from './staged-part.ts';
export { tar } from './tar-sink.ts';
