/** A coordinator in this process with a job, for tests; several in turn may stand on one log. */
import { startCoordinator } from '../coordinator/start-coordinator.ts';
import type { CoordinatorOptions, CoordinatorServer } from '../coordinator/start-coordinator.ts';
import type { Mx8Error } from '../core/base/errors.ts';
import { jobId, type ManifestHash } from '../core/base/units.ts';
import type { JobSpec, NodeCaps } from '../core/job/protocol.ts';
import { MemoryLog, MemoryLogDisk } from '../log/memory-log.ts';
import { nodeClock } from '../platform/clock.ts';
import { nodeRandom } from '../platform/random.ts';
import { MemoryManifestStore } from './memory-manifest-store.ts';
import { RecordingEvents } from './recording-events.ts';

export const TEST_CAPS: NodeCaps = {
  maxFetchConcurrency: 2,
  maxDecodeConcurrency: 3,
  maxInflightBytes: 4_000_000_000,
  maxRamBytes: 8_000_000_000,
};

export function testSpec(manifestHash: ManifestHash, changes: Partial<JobSpec> = {}): JobSpec {
  return {
    jobId: jobId('job'),
    manifestHash,
    sampleCount: 100,
    blockSize: 10,
    worldSize: 1,
    minWorldSize: 1,
    shuffle: false,
    seed: 0n,
    epoch: 0,
    leaseTtlMs: 10_000,
    heartbeatIntervalMs: 1000,
    commitsOutputs: false,
    adoptsFirstJobId: false,
    ...changes,
  };
}

export interface TestCoordinator {
  readonly server: CoordinatorServer;
  readonly address: string;
  readonly spec: JobSpec;
  readonly events: RecordingEvents;
  readonly manifests: MemoryManifestStore;
  readonly disk: MemoryLogDisk;
  /** Errors that ended it; empty unless something went wrong. */
  readonly fatal: Mx8Error[];
  /** Stops it and starts another on the same log and port, with the options that are to differ. */
  restart(changes?: Partial<CoordinatorOptions>): Promise<TestCoordinator>;
}

export interface TestCoordinatorOptions {
  readonly spec?: Partial<JobSpec>;
  readonly samples?: number;
  readonly server?: Partial<CoordinatorOptions>;
}

/** `stop` it with `coordinator.server.stop()`. */
export async function startTestCoordinator(
  options: TestCoordinatorOptions = {},
): Promise<TestCoordinator> {
  const samples = options.samples ?? 100;
  const manifests = new MemoryManifestStore();
  const hash = await manifests.putFiles(samples);
  const spec = testSpec(hash, { sampleCount: samples, ...options.spec });
  return startOn(new MemoryLogDisk(), manifests, spec, 0, options.server ?? {});
}

async function startOn(
  disk: MemoryLogDisk,
  manifests: MemoryManifestStore,
  spec: JobSpec,
  port: number,
  changes: Partial<CoordinatorOptions>,
): Promise<TestCoordinator> {
  const events = new RecordingEvents();
  const fatal: Mx8Error[] = [];
  const server = await startCoordinator({
    log: new MemoryLog(disk),
    manifests,
    clock: nodeClock(),
    random: nodeRandom(),
    events,
    bind: { host: '127.0.0.1', port },
    jobs: [spec],
    tickIntervalMs: 10,
    onFatal: (error) => fatal.push(error),
    ...changes,
  });
  return {
    server,
    address: `127.0.0.1:${server.port}`,
    spec,
    events,
    manifests,
    disk,
    fatal,
    restart: async (further = {}) => {
      await server.stop();
      return startOn(disk, manifests, spec, server.port, { ...changes, ...further });
    },
  };
}
