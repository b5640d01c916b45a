/** Samples in one lease of a run. Pure. */

/** Leases that each worker gets over a job: enough that the last ones to finish are a small part. */
const LEASES_PER_WORKER = 16;

/** Samples in a lease at most: what is done again after a crash stays bounded for large jobs. */
export const BLOCK_SIZE_MAX = 65_536;

/** Whole batches, so that no lease ends in a small one. */
export function runBlockSize(options: {
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly nodes: number;
  readonly workersPerNode: number;
}): number {
  const leases = options.nodes * options.workersPerNode * LEASES_PER_WORKER;
  const share = Math.min(BLOCK_SIZE_MAX, Math.ceil(options.sampleCount / leases));
  return Math.max(1, Math.ceil(share / options.batchSize)) * options.batchSize;
}
