/** Writes 32 KiB for each sample, so that a small disk fills up in mid-job. */
import { createHash } from 'node:crypto';
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const job: JobDefinition<JsonRow> = defineJob({
  name: 'padded',
  batch: 8,
  process: (batch) =>
    Array.from(batch, (sample) => ({
      sample_id: sample.id,
      sha256: createHash('sha256').update(sample.bytes).digest('hex'),
      padding: 'x'.repeat(32 * 1024),
    })),
  output: jsonl(),
});

export default job;
