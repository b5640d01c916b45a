/**
 * What metrics, page and the whole snapshot of v0 cost a coordinator with 1,000 nodes and 100,000 leases at one poller a second, in
 * parts of one core: its processor time with the poller less that without.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { jobId, nodeId } from '../src/core/base/units.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { startTestCoordinator, TEST_CAPS } from '../src/testing/index.ts';
import { startCoordinatorWeb } from '../src/web/index.ts';
import { type BenchRow, type Benchmark, benchRow } from './report.ts';

const NODES = 1000;
const LEASES_PER_NODE = 100;
const MEASURE_MS = 10_000;
const BLOCK_SIZE = 10;

export const benchmark: Benchmark = { name: 'web', run };

async function run(): Promise<readonly BenchRow[]> {
  const leases = NODES * LEASES_PER_NODE;
  const samples = leases * BLOCK_SIZE * 2;
  const coordinator = await startTestCoordinator({
    samples,
    spec: { worldSize: NODES, minWorldSize: 1, blockSize: BLOCK_SIZE, leaseTtlMs: 3_600_000 },
    server: { tickIntervalMs: 100 },
  });
  await fill(coordinator.server.client);
  const web = await startCoordinatorWeb({
    insight: coordinator.server.insight,
    clock: nodeClock(),
    events: { emit: () => undefined },
    bind: { host: '127.0.0.1', port: 0 },
    limits: { staleHeartbeatMs: 5000, leaseStallMs: 10_000 },
    webUrlOf: () => Promise.resolve(null),
  });
  try {
    await coreShare(2000);
    const idle = await coreShare(MEASURE_MS);
    const poller = fork(join(import.meta.dirname, 'web-poller.ts'), [web.url], { execArgv: [] });
    await coreShare(3000);
    const polled = await coreShare(MEASURE_MS);
    const { scrapes, bytes } = await answerOf(poller);
    const stream = await fetch(`${web.url}events`);
    const read = stream.text().catch(() => '');
    const viewed = await coreShare(MEASURE_MS);
    poller.disconnect();
    const note = `${scrapes} scrapes of ${Math.round(bytes / 1024)} KiB; idle ${percent(idle)} %`;
    const rows = [
      row('metrics: 1,000 nodes, 100,000 leases, one scrape a second', polled - idle, note),
      row('metrics and one viewer of the page', viewed - idle, 'the viewer is in this process'),
    ];
    await web.close();
    await read;
    return [...rows, await snapshots(coordinator.server.port)];
  } finally {
    await web.close();
    await coordinator.server.stop();
  }
}

async function snapshots(port: number): Promise<BenchRow> {
  await coreShare(2000);
  const idle = await coreShare(MEASURE_MS / 2);
  const poller = fork(join(import.meta.dirname, 'snapshot-poller.ts'), [String(port)], {
    execArgv: [],
  });
  await coreShare(4000);
  const polled = await coreShare(MEASURE_MS);
  const { scrapes, bytes } = await answerOf(poller);
  poller.disconnect();
  const note = `${scrapes} snapshots of ${Math.round(bytes / 1024)} KiB; idle ${percent(idle)} %`;
  return row('v0 snapshot: 1,000 nodes, 100,000 leases, one a second', polled - idle, note);
}

function row(name: string, share: number, note: string): BenchRow {
  const target = { atMost: 5 };
  return benchRow({ name, ours: percent(share), limit: null, unit: '% core', target, note });
}

function percent(share: number): number {
  return Math.round(share * 10_000) / 100;
}

type Client = Awaited<ReturnType<typeof startTestCoordinator>>['server']['client'];

async function fill(client: Client): Promise<void> {
  for (let index = 0; index < NODES; index += 1) {
    const instanceId = `process ${index}`;
    const node = { jobId: jobId('job'), nodeId: nodeId(`node-${index}`), instanceId };
    await client.register(node, TEST_CAPS, new Uint8Array(0));
    await client.requestLeases(node, LEASES_PER_NODE, []);
  }
}

/** Processor time of this process over a while, in parts of one core. */
async function coreShare(spanMs: number): Promise<number> {
  const [before, startMs] = [process.cpuUsage(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, spanMs));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - startMs);
}

async function answerOf(poller: ChildProcess): Promise<{ scrapes: number; bytes: number }> {
  poller.send('how many');
  const [answer] = (await once(poller, 'message')) as [{ scrapes: number; bytes: number }];
  return answer;
}
