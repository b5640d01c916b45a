/** Rows of Parquet out of JSON lines: for tests of the sink. */
import { defineJob, parquet, type JobDefinition, type ParquetRow } from 'mx8/job';

const job: JobDefinition<ParquetRow> = defineJob({
  name: 'parquet',
  format: 'jsonl',
  batch: 50,
  retries: 0,
  process: (batch) =>
    Array.from(batch, (sample) => ({
      id: sample.id,
      text: sample.text(),
      vector: Float32Array.of(sample.id, 0.5),
    })),
  output: parquet(null, { columns: { id: 'int64', text: 'string', vector: 'float[]' } }),
});

export default job;
