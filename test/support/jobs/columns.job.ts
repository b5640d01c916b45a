/** Sums of the columns of ranges of rows: for tests of rows as columns. */
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const job: JobDefinition<JsonRow> = defineJob({
  name: 'columns',
  columns: ['id', 'vector'],
  rowsPerSample: 300,
  batch: 1,
  retries: 0,
  process: (batch) =>
    Array.from(batch, (sample) => {
      const table = sample.columns();
      const ids = table.column('id').values;
      const vectors = table.column('vector');
      let sum = 0;
      for (const id of ids ?? []) sum += Number(id);
      return { rows: table.rows, sum, stride: vectors.stride, type: vectors.type };
    }),
  output: jsonl(null),
});

export default job;
