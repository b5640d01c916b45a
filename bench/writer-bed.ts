/** A writer on SQLite on disk with one job, as the benchmarks of the control plane use it. */
import { Writer } from '../src/coordinator/writer.ts';
import { type JobId, jobId, manifestHash, nodeId } from '../src/core/base/units.ts';
import type { Command, JobSpec, Lease } from '../src/core/job/protocol.ts';
import { SqliteLog } from '../src/log/sqlite-log.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';

export const JOB: JobId = jobId('bench');
export const NODES = 8;
/** Samples in a range: many, so that a thousand ranges last as long as the measurement. */
const BLOCK = 65_536;
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

export interface Bed {
  readonly writer: Writer;
  readonly path: string;
  close(): Promise<void>;
}

export async function openBed(path: string): Promise<Bed> {
  const log = new SqliteLog(path);
  const writer = new Writer({
    log,
    clock: nodeClock(),
    random: nodeRandom(),
    events: { emit: () => undefined },
    tickIntervalMs: 100,
    onFatal: (error) => {
      throw error;
    },
  });
  await writer.start();
  return {
    writer,
    path,
    close: async () => {
      await writer.stop();
      await log.close();
    },
  };
}

export function from(node: number): {
  jobId: typeof JOB;
  nodeId: ReturnType<typeof nodeId>;
  instanceId: string;
} {
  return { jobId: JOB, nodeId: nodeId(`n${node}`), instanceId: `process-${node}` };
}

export async function createJob(writer: Writer, ranges: number): Promise<void> {
  const spec: JobSpec = {
    jobId: JOB,
    manifestHash: manifestHash('00'.repeat(32)),
    sampleCount: ranges * BLOCK,
    blockSize: BLOCK,
    worldSize: NODES,
    minWorldSize: NODES,
    shuffle: true,
    seed: 1n,
    epoch: 0,
    leaseTtlMs: 600_000,
    heartbeatIntervalMs: 1000,
    commitsOutputs: false,
    adoptsFirstJobId: false,
  };
  await writer.submit({ type: 'create_job', spec });
  for (let node = 0; node < NODES; node += 1) {
    await writer.submit({
      type: 'register',
      ...from(node),
      caps: CAPS,
      resumeFrom: new Uint8Array(0),
    });
  }
}

export async function takeLeases(writer: Writer, wanted: number): Promise<Lease[]> {
  const leases: Lease[] = [];
  while (leases.length < wanted) {
    const node = leases.length % NODES;
    const want = Math.min(1024, wanted - leases.length);
    const reply = await writer.submit({ type: 'request_lease', ...from(node), want, held: null });
    if (reply.type !== 'leases' || reply.leases.length === 0)
      throw new Error(JSON.stringify(reply));
    leases.push(...reply.leases);
  }
  return leases;
}

export function progress(lease: Lease, cursor: number): Command {
  const node = Number(lease.nodeId.slice(1));
  return {
    type: 'progress',
    ...from(node),
    leaseId: lease.leaseId,
    cursor,
    deliveredSamples: cursor - lease.range.start,
    deliveredBytes: 0,
  };
}
