/**
 * What `manifest.bench.ts` measures in a process of its own, as peak memory is kept per process. Answers
 * with one JSON line.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

import { manifestHash } from '../src/core/base/units.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { FsManifestStore } from '../src/snapshots/index.ts';
import { peakRssBytes } from './peak-rss.ts';

export interface ChildFigures {
  readonly elapsedMs: number;
  /** The most memory that the process ever had, less what it had before the work began. */
  readonly grownBytes: number;
  readonly peakRssBytes: number;
  readonly samples: number;
}

const CHUNK_BYTES = 1024 * 1024;
const SLICE_SAMPLES = 4096;

const [mode = '', root = '', hashText = ''] = process.argv.slice(2);
const hash = manifestHash(hashText);

const rssBefore = process.memoryUsage.rss();
const startedAt = performance.now();
const samples = await work();
const elapsedMs = performance.now() - startedAt;
const peakBytes = peakRssBytes();
const figures: ChildFigures = {
  elapsedMs,
  grownBytes: Math.max(0, peakBytes - rssBefore),
  peakRssBytes: peakBytes,
  samples,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function work(): Promise<number> {
  switch (mode) {
    case 'sha256':
      return bareHash(join(root, 'by-hash', hash));
    case 'open':
      return openWhole();
    case 'slice':
      return openSlice();
    default:
      throw new Error(`no mode ${mode}`);
  }
}

/** The limit: the same bytes through the same hash, and nothing else. */
function bareHash(path: string): number {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const sum = createHash('sha256');
  const file = openSync(path, 'r');
  for (;;) {
    const bytes = readSync(file, buffer, 0, buffer.length, null);
    if (bytes === 0) break;
    sum.update(buffer.subarray(0, bytes));
  }
  closeSync(file);
  if (sum.digest('hex') !== hash) throw new Error('the file changed');
  return 0;
}

async function openWhole(): Promise<number> {
  const reader = await store().open(hash);
  await reader.close();
  return reader.sampleCount;
}

async function openSlice(): Promise<number> {
  const reader = await store().open(hash);
  const start = Math.floor(reader.sampleCount / 2) + 77;
  let count = 0;
  for await (const records of reader.records(start, start + SLICE_SAMPLES)) {
    if (records[0]?.sampleId !== start + count) throw new Error('the wrong slice');
    count += records.length;
  }
  await reader.close();
  return count;
}

function store(): FsManifestStore {
  const clock = nodeClock();
  return new FsManifestStore({
    root,
    clock,
    random: nodeRandom(),
    events: { emit: () => undefined },
  });
}
