/**
 * Streams a long listing in a process that has just started: `streaming-reader.ts LINK STORE`. Tells its parent when
 * the first batch was there; then when all was listed and pinned, and its memory after some more batches, which come out of
 * the file that the listing went into.
 */
import { load } from '../src/index.ts';
import { peakRssBytes } from './peak-rss.ts';

export interface FirstBatch {
  /** From the start of the process. */
  readonly firstBatchMs: number;
}

export interface StreamingFigures extends FirstBatch {
  readonly pinnedMs: number;
  readonly samples: number;
  readonly manifestHash: string;
  readonly peakRssBytes: number;
}

const BATCH_SIZE = 64;
const MORE_BATCHES = 100;
/** Somebody trains with it: what is read must not be what is measured. */
const BATCH_MS = 100;

const [link = '', manifestStoreRoot = ''] = process.argv.slice(2);
const loader = load(link, {
  ...{ streaming: true, shuffle: true, seed: 7 },
  ...{ batchSize: BATCH_SIZE, maxInflightBytes: 64 * 1024 ** 2, manifestStoreRoot },
});
let firstBatchMs = 0;
let pinned: Omit<StreamingFigures, 'firstBatchMs' | 'peakRssBytes'> | null = null;
let more = 0;
for await (const batch of loader) {
  if (batch.sampleCount === 0) throw new Error('an empty batch');
  if (firstBatchMs === 0) {
    firstBatchMs = performance.now();
    process.send?.({ firstBatchMs });
    // Rejected, it ends the process.
    void loader.open().then(({ sampleCount: samples, manifestHash }) => {
      pinned = { pinnedMs: performance.now(), samples, manifestHash };
    });
  }
  if (pinned !== null) more += 1;
  if (more === MORE_BATCHES) break;
  if (pinned === null) {
    await new Promise((resolve) => {
      setTimeout(resolve, BATCH_MS);
    });
  }
}
if (pinned === null) throw new Error('the data ended before all was pinned');
process.send?.({ ...(pinned as object), firstBatchMs, peakRssBytes: peakRssBytes() }, () =>
  process.disconnect(),
);
