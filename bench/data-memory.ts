/** A process of its own that reads packed shards with 64 MiB in flight and says what memory it took. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface MemoryAnswer {
  /** Resident when the process had done nothing but start. */
  readonly idleBytes: number;
  /** Most resident memory until the end, as the kernel counts it. */
  readonly peakBytes: number;
  readonly inflightBytes: number;
}

interface Settings {
  readonly link: string;
  readonly storeRoot: string;
}

const BATCHES = 1_000;

/** A field of /proc/self/status. */
function statusBytes(field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return Number(kib) * 1024;
}

const idleBytes = statusBytes('VmRSS');
const { link, storeRoot } = JSON.parse(process.argv[2] ?? '') as Settings;
const { load } = await import('../src/index.ts');
const { touchPages } = await import('./touch-pages.ts');

let seen = 0;
const loader = load(link, {
  batchSize: 64,
  maxInflightBytes: 64 * 1024 ** 2,
  prefetchBatches: 4,
  maxQueueBatches: 64,
  manifestStoreRoot: storeRoot,
});
for await (const batch of loader) {
  touchPages(batch.payload);
  seen += 1;
  // Time to read ahead until the cap stops it.
  if (seen % 250 === 0) await sleep(100);
  if (seen === BATCHES) break;
}
const answer: MemoryAnswer = {
  idleBytes,
  peakBytes: statusBytes('VmHWM'),
  inflightBytes: loader.stats().inflightBytesHighWater,
};
process.send?.(answer);
