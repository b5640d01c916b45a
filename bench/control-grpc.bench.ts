/**
 * The control plane over gRPC: durable progress of 256 leases on SQLite on disk, reported over one
 * connection by a load generator in a process of its own.
 *
 * The generator of v0 writes HTTP/2 frames by hand (`frame-client.ts`): a client of grpc-js needs more
 * processor time for a call than the server does, and would measure itself. That of v1 is the client that
 * agents use. Each row says what a call cost either process.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startCoordinator, type CoordinatorServer } from '../src/coordinator/start-coordinator.ts';
import { jobId, nodeId } from '../src/core/base/units.ts';
import type { Lease } from '../src/core/job/protocol.ts';
import { SqliteLog } from '../src/log/sqlite-log.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { NodeIdentity } from '../src/ports/coordinator-client.ts';
import { MemoryManifestStore, TEST_CAPS, testSpec } from '../src/testing/index.ts';
import { bareGrpcJs, bareHttp2, type BareServer } from './bare-grpc.ts';
import type { LoadAnswer, LoadOrder } from './control-grpc-load.ts';
import { benchRow, type Benchmark, type BenchRow } from './report.ts';

const IN_FLIGHT = 256;
const CALLS = 60_000;
const WARM_UP_CALLS = 20_000;
const ROUNDS = 3;
const BLOCK = 1_000_000;
const NODE: NodeIdentity = {
  jobId: jobId('job'),
  nodeId: nodeId('node'),
  instanceId: 'process of the benchmark',
};

interface Figure {
  readonly callsPerSecond: number;
  readonly serverMicros: number;
  readonly clientMicros: number;
}

export const benchmark: Benchmark = {
  name: 'control plane over gRPC',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-'));
    try {
      const rounds: { v0: Figure; http2: Figure; grpcJs: Figure }[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        rounds.push({
          v0: await durable(join(folder, `v0-${round}.sqlite`), 'v0'),
          http2: await bare(bareHttp2),
          grpcJs: await bare(bareGrpcJs),
        });
      }
      const v0 = median(rounds.map((round) => round.v0));
      const http2 = median(rounds.map((round) => round.http2));
      const grpcJs = median(rounds.map((round) => round.grpcJs));
      const v1 = await durable(join(folder, 'v1.sqlite'), 'v1');
      return [...unaryRows(v0, http2, grpcJs), sessionRow(v1)];
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

function unaryRows(v0: Figure, http2: Figure, grpcJs: Figure): readonly BenchRow[] {
  const unit = 'calls/s';
  return [
    benchRow({
      name: 'v0 ReportProgress, one connection',
      ours: v0.callsPerSecond,
      limit: null,
      unit,
      target: { atLeast: 15_000 },
      note: `durable, 256 in flight; ${costs(v0)}`,
    }),
    benchRow({
      name: 'v0 ReportProgress against bare HTTP/2',
      ours: v0.callsPerSecond,
      limit: http2.callsPerSecond,
      unit,
      target: null,
      note: `limit: node:http2 that answers at once; ${costs(http2)}`,
    }),
    benchRow({
      name: 'empty handler of grpc-js, to compare',
      ours: grpcJs.callsPerSecond,
      limit: http2.callsPerSecond,
      unit,
      target: null,
      note: costs(grpcJs),
    }),
  ];
}

function sessionRow(v1: Figure): BenchRow {
  return benchRow({
    name: 'v1 progress over one session',
    ours: v1.callsPerSecond,
    limit: null,
    unit: 'calls/s',
    target: null,
    note: `durable, 256 in flight, our client; ${costs(v1)}`,
  });
}

function costs({ serverMicros, clientMicros }: Figure): string {
  return `CPU a call: server ${Math.round(serverMicros)} µs, client ${Math.round(clientMicros)} µs`;
}

function median(figures: readonly Figure[]): Figure {
  const sorted = figures.toSorted((a, b) => a.callsPerSecond - b.callsPerSecond);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new Error('nothing was measured');
  return middle;
}

async function durable(path: string, protocol: LoadOrder['protocol']): Promise<Figure> {
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
    const figure = await generate(protocol, server.port, await leased(server));
    const { counters } = await server.client.snapshot(NODE.jobId);
    const { progressTotal } = counters;
    if (progressTotal !== WARM_UP_CALLS + CALLS) throw new Error(`${progressTotal} calls counted`);
    return figure;
  } finally {
    await server.stop();
  }
}

async function leased({ client }: CoordinatorServer): Promise<readonly Lease[]> {
  await client.register(NODE, TEST_CAPS, new Uint8Array(0));
  return (await client.requestLeases(NODE, IN_FLIGHT, [])).leases;
}

/** The same calls to a server that answers at once. */
async function bare(open: () => Promise<BareServer>): Promise<Figure> {
  const server = await open();
  const leases = Array.from({ length: IN_FLIGHT }, (_, index) => ({
    leaseId: `1.2.${index}`,
    nodeId: NODE.nodeId,
    range: { start: index * BLOCK, end: (index + 1) * BLOCK },
    cursor: index * BLOCK,
  })) as unknown as readonly Lease[];
  try {
    return await generate('v0', server.port, leases);
  } finally {
    server.close();
  }
}

async function generate(
  protocol: LoadOrder['protocol'],
  port: number,
  leases: readonly Lease[],
): Promise<Figure> {
  const child = fork(new URL('control-grpc-load.ts', import.meta.url));
  const order: LoadOrder = {
    protocol,
    port,
    node: NODE,
    caps: TEST_CAPS,
    leases,
    warmUpCalls: WARM_UP_CALLS,
    calls: CALLS,
  };
  child.send(order);
  try {
    return await figureOf(child);
  } finally {
    child.kill();
  }
}

/** The server is in this process, so what this process burns between start and end is its cost. */
function figureOf(child: ChildProcess): Promise<Figure> {
  return new Promise((resolve, reject) => {
    let before = process.cpuUsage();
    child.on('message', (message) => {
      const answer = message as LoadAnswer;
      if (answer.type === 'warm') {
        before = process.cpuUsage();
        return;
      }
      const { user, system } = process.cpuUsage(before);
      const { callsPerSecond, cpuMicrosPerCall: clientMicros } = answer;
      resolve({ callsPerSecond, serverMicros: (user + system) / CALLS, clientMicros });
    });
    child.once('exit', (code) => {
      reject(new Error(`the load generator ended with ${String(code)}`));
    });
  });
}
