/** The door of the pipeline: records in, batches out, within the caps. */
import { availableParallelism } from 'node:os';

import { Mx8Error } from '../core/base/errors.ts';
import { checkCaps } from '../core/memory/caps.ts';
import type { Clock } from '../ports/clock.ts';
import type { Places } from '../ports/place.ts';
import { LocalReader } from '../storage/local-reader.ts';
import { EverywhereReader } from '../storage/sample-reader.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import { EverywhereBytes } from '../storage/everywhere-bytes.ts';
import { LocalBytes } from '../storage/local-bytes.ts';
import { CodedReader } from './coded-reader.ts';
import type { Pipeline, PipelineOptions } from './contract.ts';
import { READER_THREADS_MAX } from './limits.ts';
import { PipelineRun } from './run.ts';

export type {
  Pipeline,
  PipelineOptions,
  PipelineStats,
  RecordChunk,
  SampleBatch,
  SampleErrorVerdict,
} from './contract.ts';

/** Begins nothing until the first batch is asked for. `caps_conflict` when the caps cannot work. */
export function openPipeline(options: PipelineOptions): Pipeline {
  const refusal = checkCaps({ ...options, rssCapBytes: null });
  if (refusal !== null) throw new Mx8Error(refusal.code, refusal.message);
  const ownsReader = options.reader === undefined;
  const reader =
    options.reader ?? createReader(options.prefetchBatches, options.clock, options.openPlaces);
  return new PipelineRun({ ...options, reader, ownsReader });
}

/**
 * A reader for several pipelines, one after the other or at once; its owner closes it. With a clock it
 * lets a consumer that waits read for itself. `openPlaces` is called, once, when something is to be read
 * that is not a file; without it such samples are refused.
 */
export function createReader(
  prefetchBatches: number,
  clock?: Clock,
  openPlaces?: () => Places,
): SampleReader {
  const threadsMax = Math.min(availableParallelism(), READER_THREADS_MAX, prefetchBatches);
  const local = new LocalReader({ jobsAtOnce: prefetchBatches, threadsMax, clock });
  if (openPlaces === undefined) return new CodedReader(local, new LocalBytes());
  const everywhere = new EverywhereReader(local, openPlaces);
  return new CodedReader(everywhere, new EverywhereBytes(() => everywhere.places()));
}
