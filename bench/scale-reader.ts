/**
 * A reader of a job of a hundred million samples in a process that has just started: `scale-reader.ts LINK
 * COORD JOB`. Tells its parent when the first batch was there, how long later readings took to theirs, and
 * its memory.
 */
import { load } from '../src/index.ts';
import { peakRssBytes } from './peak-rss.ts';

export interface ScaleFigures {
  /** From the start of the process to the first batch. */
  readonly coldMs: number;
  /** From `load()` to its first batch, in the same process. */
  readonly warmMs: readonly number[];
  readonly peakRssBytes: number;
}

const READINGS = 9;
const [link = '', coord = '', job = ''] = process.argv.slice(2);

/** Reads one batch as a node of its own. */
async function firstBatch(reading: number): Promise<number> {
  const startMs = performance.now();
  const options = { batchSize: 64, maxInflightBytes: 64 * 1024 ** 2, job, coord, want: 1 };
  const node = `reader-${reading}`;
  await using loader = load(link, { ...options, node });
  for await (const batch of loader) {
    if (batch.sampleCount === 0) throw new Error('an empty batch');
    return performance.now() - startMs;
  }
  throw new Error('the job has no samples');
}

await firstBatch(0);
const coldMs = performance.now();
const warmMs: number[] = [];
for (let reading = 1; reading <= READINGS; reading += 1) warmMs.push(await firstBatch(reading));
const figures: ScaleFigures = { coldMs, warmMs, peakRssBytes: peakRssBytes() };
process.send?.(figures);
process.disconnect();
