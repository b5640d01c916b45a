/**
 * Load on a coordinator from a process of its own, over one connection: reports progress of every lease
 * it is sent, each by one sample at a time and with one call in flight, and answers calls per second.
 */
import { GrpcCoordinatorClient } from '../src/wire/grpc-coordinator-client.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { NodeIdentity } from '../src/ports/coordinator-client.ts';
import type { Lease, NodeCaps } from '../src/core/job/protocol.ts';
import { RawClient } from '../src/testing/raw-client.ts';

export interface LoadOrder {
  readonly protocol: 'v0' | 'v1';
  readonly address: string;
  readonly node: NodeIdentity;
  readonly caps: NodeCaps;
  readonly leases: readonly Lease[];
  /** Calls before the clock starts, and while it runs. */
  readonly warmUpCalls: number;
  readonly calls: number;
}

export interface LoadAnswer {
  readonly callsPerSecond: number;
}

type Report = (lease: Lease, cursor: number) => Promise<unknown>;

async function load({ leases, warmUpCalls, calls }: LoadOrder, report: Report): Promise<number> {
  const cursors = leases.map((lease) => lease.cursor);
  const run = async (count: number): Promise<void> => {
    let left = count;
    const flight = async (lease: Lease, index: number): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const cursor = (cursors[index] ?? 0) + 1;
        cursors[index] = cursor;
        await report(lease, cursor);
      }
    };
    await Promise.all(leases.map(flight));
  };
  await run(warmUpCalls);
  const startMs = performance.now();
  await run(calls);
  return (calls * 1000) / (performance.now() - startMs);
}

async function overV0(order: LoadOrder): Promise<number> {
  const { jobId, nodeId } = order.node;
  const client = new RawClient(order.address, 'mx8.v0.Coordinator');
  const unixTimeMs = Date.now();
  const rate = await load(order, (lease, cursor) =>
    client.call('ReportProgress', {
      jobId,
      nodeId,
      leaseId: lease.leaseId,
      cursor,
      deliveredSamples: 1,
      deliveredBytes: 1,
      unixTimeMs,
    }),
  );
  client.close();
  return rate;
}

async function overV1(order: LoadOrder): Promise<number> {
  const client = new GrpcCoordinatorClient({
    coordUrl: order.address,
    clock: nodeClock(),
    random: nodeRandom(),
  });
  await client.register(order.node, order.caps, new Uint8Array(0));
  const rate = await load(order, ({ leaseId }, cursor) =>
    client.reportProgress(order.node, { leaseId, cursor, deliveredSamples: 1, deliveredBytes: 1 }),
  );
  await client.close();
  return rate;
}

process.on('message', (message) => {
  const order = message as LoadOrder;
  const measured = order.protocol === 'v0' ? overV0(order) : overV1(order);
  measured.then(
    (callsPerSecond) => process.send?.({ callsPerSecond } satisfies LoadAnswer),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
