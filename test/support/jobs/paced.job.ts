/** As checksum.job.ts, at a pace that a file says and that may change in mid-job. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const paceFile = process.env['TEST_PACE_FILE'] ?? '';

const job: JobDefinition<JsonRow> = defineJob({
  name: 'paced',
  batch: 8,
  async process(batch) {
    await sleep(Number(readFileSync(paceFile, 'utf8')));
    return Array.from(batch, (sample) => ({
      sample_id: sample.id,
      sha256: createHash('sha256').update(sample.bytes).digest('hex'),
    }));
  },
  output: jsonl(),
});

export default job;
