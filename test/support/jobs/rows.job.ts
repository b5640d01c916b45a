/** Says of each JSON line which it was: for tests of formats. */
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const job: JobDefinition<JsonRow> = defineJob({
  name: 'rows',
  format: 'jsonl',
  batch: 8,
  retries: 0,
  process: (batch) =>
    Array.from(batch, (sample) => ({
      sample_id: sample.id,
      id: (sample.row() as { readonly id: number }).id,
    })),
  output: jsonl(),
});

export default job;
