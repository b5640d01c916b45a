import type { PipelineStats } from '../pipeline/index.ts';

/** Before the first batch was asked for. */
export const NO_PIPELINE_STATS: PipelineStats = {
  inflightBytes: 0,
  inflightBytesHighWater: 0,
  fetchQueueDepth: 0,
  decodeQueueDepth: 0,
  packQueueDepth: 0,
  deliveredBatches: 0,
  deliveredSamples: 0,
  deliveredBytes: 0,
  skippedSamples: 0,
  consumerWaitMs: 0,
  backpressureWaitMs: 0,
};
