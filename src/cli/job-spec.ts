/** From flags and a pinned data set to what a job is. */
import { Mx8Error } from '../core/base/errors.ts';
import { jobId } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { JobSpec } from '../core/job/protocol.ts';

export interface JobSpecOptions {
  /** Null: the job takes the id of the first node that registers, as v0 coordinators do. */
  readonly jobId: string | null;
  readonly manifestHash: ManifestHash;
  readonly sampleCount: number;
  readonly blockSize: number | null;
  readonly worldSize: number;
  readonly minWorldSize: number | null;
  readonly shuffle: boolean;
  readonly seed: bigint;
  readonly epoch: number;
  readonly leaseTtlMs: number;
  readonly heartbeatIntervalMs: number;
  readonly commitsOutputs: boolean;
}

/** The id that stands in until the first node brings one. */
const ID_TO_BE_ADOPTED = 'job';

/**
 * Leases for each node over the whole job, where nothing is said: so many that the nodes end at about
 * the same time and little is done again after a crash, so few that grants do not matter.
 */
const BLOCKS_PER_NODE = 64;
const BLOCK_SAMPLES_MAX = 65_536;

/** What does not go together whatever the data are: to be refused before a listing that may take an hour. */
export function checkJobOptions(
  options: Pick<
    JobSpecOptions,
    'worldSize' | 'minWorldSize' | 'leaseTtlMs' | 'heartbeatIntervalMs'
  >,
): void {
  const { worldSize, leaseTtlMs, heartbeatIntervalMs } = options;
  const minWorldSize = options.minWorldSize ?? worldSize;
  if (minWorldSize > worldSize) {
    throw new Mx8Error(
      'caps_conflict',
      `--min-world-size ${minWorldSize} is more than --world-size ${worldSize}: the job would wait for nodes that may not join`,
      { min_world_size: minWorldSize, world_size: worldSize },
    );
  }
  if (heartbeatIntervalMs >= leaseTtlMs) {
    throw new Mx8Error(
      'caps_conflict',
      `--heartbeat-interval-ms ${heartbeatIntervalMs} must be shorter than --lease-ttl-ms ${leaseTtlMs}`,
      { heartbeat_interval_ms: heartbeatIntervalMs, lease_ttl_ms: leaseTtlMs },
    );
  }
}

export function jobSpecOf(options: JobSpecOptions): JobSpec {
  checkJobOptions(options);
  const { worldSize, leaseTtlMs, heartbeatIntervalMs } = options;
  const minWorldSize = options.minWorldSize ?? worldSize;
  return {
    jobId: jobId(options.jobId ?? ID_TO_BE_ADOPTED),
    adoptsFirstJobId: options.jobId === null,
    manifestHash: options.manifestHash,
    sampleCount: options.sampleCount,
    blockSize: options.blockSize ?? defaultBlockSize(options.sampleCount, worldSize),
    worldSize,
    minWorldSize,
    shuffle: options.shuffle,
    seed: options.seed,
    epoch: options.epoch,
    leaseTtlMs,
    heartbeatIntervalMs,
    commitsOutputs: options.commitsOutputs,
  };
}

export function defaultBlockSize(sampleCount: number, worldSize: number): number {
  const even = Math.ceil(sampleCount / (worldSize * BLOCKS_PER_NODE));
  return Math.max(1, Math.min(BLOCK_SAMPLES_MAX, even));
}
