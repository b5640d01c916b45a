/**
 * As checksum.job.ts, with trouble that files switch on: `hang` holds the id of a sample at which
 * process() never returns, `pace` the milliseconds that a batch takes, `rss` the bytes of resident memory
 * that the worker takes.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob, jsonl, type JobDefinition, type JsonRow } from 'mx8/job';

const MIB = 1024 ** 2;
const folder = process.env['TEST_TROUBLE'] ?? '';
/** How many times as long this node takes for a batch. */
const SLOWNESS = Number(process.env['TEST_SLOWNESS'] ?? 1);
const ballast: Uint8Array[] = [];

function setting(name: string): number | null {
  const file = join(folder, name);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
}

const job: JobDefinition<JsonRow> = defineJob({
  name: 'trouble',
  batch: 4,
  async process(batch) {
    await sleep((setting('pace') ?? 0) * SLOWNESS);
    const wantedBytes = setting('rss') ?? 0;
    while (process.memoryUsage.rss() < wantedBytes) ballast.push(new Uint8Array(MIB).fill(1));
    const rows: JsonRow[] = [];
    for (const sample of batch) {
      if (sample.id === setting('hang')) await sleep(2 ** 30);
      const sha256 = createHash('sha256').update(sample.bytes).digest('hex');
      rows.push({ sample_id: sample.id, sha256 });
    }
    return rows;
  },
  output: jsonl(),
});

export default job;
