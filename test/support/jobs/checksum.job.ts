/** Reads every sample, takes a little time, and says what it read: for tests of the whole path. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const pauseMs = Number(process.env['TEST_PAUSE_MS'] ?? 0);

const job: JobDefinition<JsonRow> = defineJob({
  name: 'checksum',
  batch: 8,
  async process(batch) {
    if (pauseMs > 0) await sleep(pauseMs);
    return Array.from(batch, (sample) => ({
      sample_id: sample.id,
      sha256: createHash('sha256').update(sample.bytes).digest('hex'),
    }));
  },
  output: jsonl(),
});

export default job;
