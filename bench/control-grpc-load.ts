/**
 * Load on a coordinator from a process of its own, over one connection: reports progress of every lease
 * it is sent, each by one sample at a time and with one call in flight, and answers calls per second.
 */
import { GrpcCoordinatorClient } from '../src/wire/grpc-coordinator-client.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { NodeIdentity } from '../src/ports/coordinator-client.ts';
import type { Lease, NodeCaps } from '../src/core/job/protocol.ts';
import { wireMethods } from '../src/wire/schema.ts';
import { FrameClient } from './frame-client.ts';

export interface LoadOrder {
  readonly protocol: 'v0' | 'v1';
  readonly port: number;
  readonly node: NodeIdentity;
  readonly caps: NodeCaps;
  readonly leases: readonly Lease[];
  /** Calls before the clock starts, and while it runs. */
  readonly warmUpCalls: number;
  readonly calls: number;
}

export type LoadAnswer =
  /** The clock starts. */
  | { readonly type: 'warm' }
  | { readonly type: 'done'; readonly callsPerSecond: number; readonly cpuMicrosPerCall: number };

const HOST = '127.0.0.1';

/** Makes so many reports, of every lease one at a time. */
type Load = (calls: number) => Promise<void>;

async function measured({ warmUpCalls, calls }: LoadOrder, load: Load): Promise<void> {
  await load(warmUpCalls);
  await said({ type: 'warm' });
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await load(calls);
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  await said({
    type: 'done',
    callsPerSecond: (calls * 1000) / tookMs,
    cpuMicrosPerCall: (user + system) / calls,
  });
}

function said(answer: LoadAnswer): Promise<void> {
  return new Promise((resolve) => process.send?.(answer, () => resolve()));
}

async function overV0(order: LoadOrder): Promise<void> {
  const { node, port, leases } = order;
  const method = wireMethods('mx8.v0.Coordinator').find(({ name }) => name === 'ReportProgress');
  if (method === undefined) throw new Error('the schema has ReportProgress');
  const { path, request } = method;
  const client = await FrameClient.connect({ host: HOST, port, path });
  const cursors = leases.map((lease) => lease.cursor);
  const { jobId, nodeId } = node;
  const unixTimeMs = Date.now();
  const report = (flight: number): Buffer => {
    const cursor = (cursors[flight] ?? 0) + 1;
    cursors[flight] = cursor;
    const leaseId = leases[flight]?.leaseId;
    const delivered = { deliveredSamples: 1, deliveredBytes: 1 };
    return request.encode({ jobId, nodeId, leaseId, cursor, ...delivered, unixTimeMs });
  };
  await measured(order, (calls) => client.run(calls, leases.length, report));
  client.close();
}

async function overV1(order: LoadOrder): Promise<void> {
  const client = new GrpcCoordinatorClient({
    coordUrl: `${HOST}:${order.port}`,
    clock: nodeClock(),
    random: nodeRandom(),
  });
  await client.register(order.node, order.caps, new Uint8Array(0));
  const cursors = order.leases.map((lease) => lease.cursor);
  const load: Load = async (calls) => {
    let left = calls;
    const flight = async ({ leaseId }: Lease, index: number): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const cursor = (cursors[index] ?? 0) + 1;
        cursors[index] = cursor;
        const report = { leaseId, cursor, deliveredSamples: 1, deliveredBytes: 1 };
        await client.reportProgress(order.node, report);
      }
    };
    await Promise.all(order.leases.map(flight));
  };
  await measured(order, load);
  await client.close();
}

process.on('message', (message) => {
  const order = message as LoadOrder;
  const load = order.protocol === 'v0' ? overV0(order) : overV1(order);
  load.catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
