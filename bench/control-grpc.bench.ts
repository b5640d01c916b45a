/**
 * The control plane over gRPC: durable progress of 256 leases on SQLite on disk, reported over one
 * connection by a load generator in a process of its own.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { startCoordinator, type CoordinatorServer } from '../src/coordinator/start-coordinator.ts';
import { jobId, nodeId } from '../src/core/base/units.ts';
import type { Lease } from '../src/core/job/protocol.ts';
import { SqliteLog } from '../src/log/sqlite-log.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { NodeIdentity } from '../src/ports/coordinator-client.ts';
import { MemoryManifestStore, TEST_CAPS, testSpec } from '../src/testing/index.ts';
import { wireMethods } from '../src/wire/schema.ts';
import type { LoadAnswer, LoadOrder } from './control-grpc-load.ts';
import { benchRow, type Benchmark, type BenchRow } from './report.ts';

const IN_FLIGHT = 256;
const CALLS = 60_000;
const WARM_UP_CALLS = 20_000;
const BLOCK = 1_000_000;
const NODE: NodeIdentity = {
  jobId: jobId('job'),
  nodeId: nodeId('node'),
  instanceId: 'process of the benchmark',
};

export const benchmark: Benchmark = {
  name: 'control plane over gRPC',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-'));
    try {
      const v0 = await measured(join(folder, 'v0.sqlite'), 'v0');
      const echo = await echoRate();
      const v1 = await measured(join(folder, 'v1.sqlite'), 'v1');
      return [unaryRow(v0, echo), sessionRow(v1)];
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** The bar is on calls a second; a bar on the ratio to the limit would hide it, so it stands alone. */
function unaryRow(callsPerSecond: number, echoPerSecond: number): BenchRow {
  const share = (callsPerSecond / echoPerSecond).toFixed(2);
  return benchRow({
    name: 'v0 ReportProgress, one connection',
    ours: callsPerSecond,
    limit: null,
    unit: 'calls/s',
    target: { atLeast: 15_000 },
    note: `${share} of an empty handler (${Math.round(echoPerSecond)} calls/s) in the same run`,
  });
}

function sessionRow(callsPerSecond: number): BenchRow {
  return benchRow({
    name: 'v1 progress over one session',
    ours: callsPerSecond,
    limit: null,
    unit: 'calls/s',
    target: null,
    note: 'durable, 256 in flight',
  });
}

async function measured(path: string, protocol: LoadOrder['protocol']): Promise<number> {
  const manifests = new MemoryManifestStore();
  const server = await startCoordinator({
    log: new SqliteLog(path),
    manifests,
    clock: nodeClock(),
    random: nodeRandom(),
    events: { emit: () => undefined },
    bind: { host: '127.0.0.1', port: 0 },
    jobs: [
      testSpec(await manifests.putFiles(1), {
        sampleCount: IN_FLIGHT * BLOCK,
        blockSize: BLOCK,
        leaseTtlMs: 600_000,
      }),
    ],
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    const leases = await leased(server);
    return await generate(protocol, `127.0.0.1:${server.port}`, leases);
  } finally {
    await server.stop();
  }
}

async function leased({ client }: CoordinatorServer): Promise<readonly Lease[]> {
  await client.register(NODE, TEST_CAPS, new Uint8Array(0));
  return (await client.requestLeases(NODE, IN_FLIGHT, [])).leases;
}

/** The same calls to a handler that answers at once: what grpc-js itself can do here. */
async function echoRate(): Promise<number> {
  const server = new Server();
  const implementation: UntypedServiceImplementation = {};
  const methods = wireMethods('mx8.v0.Coordinator').filter(({ name }) => name === 'ReportProgress');
  const definition = Object.fromEntries(
    methods.map((method) => [
      method.name,
      {
        path: method.path,
        requestStream: false,
        responseStream: false,
        requestSerialize: method.request.encode,
        requestDeserialize: method.request.decode,
        responseSerialize: method.response.encode,
        responseDeserialize: method.response.decode,
      },
    ]),
  );
  implementation['ReportProgress'] = (
    _call: unknown,
    callback: (error: null, answer: object) => void,
  ) => callback(null, {});
  server.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const leases = Array.from({ length: IN_FLIGHT }, (_, index) => ({
    leaseId: `1.2.${index}`,
    nodeId: NODE.nodeId,
    range: { start: index * BLOCK, end: (index + 1) * BLOCK },
    cursor: index * BLOCK,
  })) as unknown as readonly Lease[];
  try {
    return await generate('v0', `127.0.0.1:${port}`, leases);
  } finally {
    server.forceShutdown();
  }
}

async function generate(
  protocol: LoadOrder['protocol'],
  address: string,
  leases: readonly Lease[],
): Promise<number> {
  const child = fork(new URL('control-grpc-load.ts', import.meta.url));
  const order: LoadOrder = {
    protocol,
    address,
    node: NODE,
    caps: TEST_CAPS,
    leases,
    warmUpCalls: WARM_UP_CALLS,
    calls: CALLS,
  };
  child.send(order);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the load generator ended with ${String(code)}`);
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message'), ended])) as [LoadAnswer];
    return answer.callsPerSecond;
  } finally {
    ended.catch(() => {
      // It is ended on purpose below.
    });
    child.kill();
  }
}
