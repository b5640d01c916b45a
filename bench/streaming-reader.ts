/**
 * Streams a long listing in a process that has just started: `streaming-reader.ts LINK STORE`. Tells its parent when
 * the first batch was there, when all was listed and pinned, and its memory after some more batches, which come out of
 * the file that the listing went into.
 */
import { readFileSync } from 'node:fs';

import { load } from '../src/index.ts';

export interface StreamingFigures {
  /** From the start of the process. */
  readonly firstBatchMs: number;
  readonly pinnedMs: number;
  readonly samples: number;
  readonly peakRssBytes: number;
}

const BATCH_SIZE = 64;
const MORE_BATCHES = 200;
const [link = '', manifestStoreRoot = ''] = process.argv.slice(2);
const loader = load(link, {
  ...{ streaming: true, shuffle: true, seed: 7 },
  ...{ batchSize: BATCH_SIZE, maxInflightBytes: 64 * 1024 ** 2, manifestStoreRoot },
});
let firstBatchMs = 0;
let pinnedMs = 0;
let samples = 0;
let batches = 0;
for await (const batch of loader) {
  if (batch.sampleCount === 0) throw new Error('an empty batch');
  if (batches === 0) {
    firstBatchMs = performance.now();
    samples = (await loader.open()).sampleCount;
    pinnedMs = performance.now();
  }
  batches += 1;
  if (batches === MORE_BATCHES) break;
}
const status = readFileSync('/proc/self/status', 'utf8');
const peakRssBytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
const figures: StreamingFigures = { firstBatchMs, pinnedMs, samples, peakRssBytes };
process.send?.(figures, () => process.disconnect());
