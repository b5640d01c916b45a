/** A pipeline over samples of a test, and what it delivered, copied out. */
import assert from 'node:assert/strict';

import type { SampleRecord } from '../../src/core/manifest/record.ts';
import { openPipeline } from '../../src/pipeline/index.ts';
import type { Pipeline, PipelineOptions, SampleBatch } from '../../src/pipeline/index.ts';
import type { Sample } from './data-files.ts';

export function openOver(
  samples: readonly Sample[],
  options: Partial<PipelineOptions> = {},
): Pipeline {
  return openPipeline({
    records: chunksOf(samples, 7),
    batchSize: 4,
    maxInflightBytes: 1024 ** 2,
    prefetchBatches: 3,
    maxQueueBatches: 2,
    ...options,
  });
}

export function* chunksOf(samples: readonly Sample[], size: number): Generator<SampleRecord[]> {
  for (let start = 0; start < samples.length; start += size) {
    yield samples.slice(start, start + size).map(({ record }) => record);
  }
}

export interface Delivered {
  readonly sampleIds: readonly number[];
  readonly labelIds: readonly number[];
  readonly bytes: readonly Uint8Array[];
  readonly streamEnd: number;
}

/** Copies everything out of a batch and lets it go. */
export function copied(batch: SampleBatch): Delivered {
  const bytes = Array.from({ length: batch.sampleCount }, (_, index) =>
    batch.sample(index).slice(),
  );
  const { streamEnd } = batch;
  const [sampleIds, labelIds] = [[...batch.sampleIds], [...batch.labelIds]];
  batch.release();
  return { sampleIds, labelIds, bytes, streamEnd };
}

export async function drain(pipeline: Pipeline): Promise<Delivered[]> {
  const batches: Delivered[] = [];
  for await (const batch of pipeline) batches.push(copied(batch));
  return batches;
}

export function assertDelivers(batches: readonly Delivered[], samples: readonly Sample[]): void {
  const ids = batches.flatMap(({ sampleIds }) => sampleIds);
  assert.deepEqual(
    ids,
    samples.map(({ record }) => record.sampleId),
  );
  const bytes = batches.flatMap((batch) => batch.bytes);
  for (const [index, sample] of samples.entries()) {
    assert.deepEqual(bytes[index], sample.bytes, `bytes of sample ${sample.record.sampleId}`);
  }
}

export function sizesOf(count: number, size: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => size(index));
}
