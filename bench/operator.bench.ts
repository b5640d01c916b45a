/**
 * What the operator waits for on a job of 1,000 nodes with 10,000 leases: how long `mx8 doctor` takes, and which part of a core
 * `mx8 tui` takes on a terminal at one poll a second. Both run as the processes that they are.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { jobId, nodeId } from '../src/core/base/units.ts';
import { startTestCoordinator, TEST_CAPS } from '../src/testing/index.ts';
import { cpuMsOf, descendants } from '../test/support/processes.ts';
import { type BenchRow, type Benchmark, benchRow } from './report.ts';

const NODES = 1000;
/** As of agents with several workers; a screen asks for what is in sight, however many there are. */
const LEASES_PER_NODE = 10;
const BLOCK_SIZE = 10;
const DOCTOR_RUNS = 3;
const WARM_MS = 5000;
const MEASURE_MS = 10_000;
const MAIN = join(import.meta.dirname, '../src/cli/main.ts');

export const benchmark: Benchmark = { name: 'operator', run };

async function run(): Promise<readonly BenchRow[]> {
  const samples = NODES * LEASES_PER_NODE * BLOCK_SIZE * 2;
  const { server } = await startTestCoordinator({
    samples,
    spec: { worldSize: NODES, minWorldSize: 1, blockSize: BLOCK_SIZE, leaseTtlMs: 3_600_000 },
    server: { tickIntervalMs: 100 },
  });
  try {
    for (let index = 0; index < NODES; index += 1) {
      const instanceId = `process ${index}`;
      const node = { jobId: jobId('job'), nodeId: nodeId(`node-${index}`), instanceId };
      await server.client.register(node, TEST_CAPS, new Uint8Array(0));
      await server.client.requestLeases(node, LEASES_PER_NODE, []);
    }
    const url = `127.0.0.1:${server.port}`;
    return [await doctor(url), await screen(url)];
  } finally {
    await server.stop();
  }
}

async function doctor(url: string): Promise<BenchRow> {
  const spansMs: number[] = [];
  for (let round = 0; round < DOCTOR_RUNS; round += 1) {
    const startMs = performance.now();
    const child = spawn(process.execPath, [MAIN, 'doctor', '--coord-url', url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    if (!text.includes('job job')) throw new Error(`the doctor did not see the job: ${text}`);
    spansMs.push(performance.now() - startMs);
  }
  const name = 'doctor on a job of 1,000 nodes';
  const note = `the longest of ${DOCTOR_RUNS}`;
  const target = { atMost: 5 };
  return benchRow({
    name,
    ours: Math.max(...spansMs) / 1000,
    limit: null,
    unit: 's',
    target,
    note,
  });
}

/** On a terminal that `script` makes, as a screen draws only on one. */
async function screen(url: string): Promise<BenchRow> {
  const words = [process.execPath, MAIN, 'tui', '--coord-url', url].join(' ');
  const script = spawn('script', ['-qfec', words, '/dev/null'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  try {
    await sleep(WARM_MS);
    const pid = screenPid(script);
    const [before, startMs] = [cpuMsOf(pid), performance.now()];
    await sleep(MEASURE_MS);
    const share = (cpuMsOf(pid) - before) / (performance.now() - startMs);
    const name = 'tui on a job of 1,000 nodes and 10,000 leases, one poll a second';
    const ours = Math.round(share * 10_000) / 100;
    return benchRow({ name, ours, limit: null, unit: '% core', target: { atMost: 5 }, note: '' });
  } finally {
    script.stdin.write('q');
    script.stdin.end();
    await once(script, 'close');
  }
}

function screenPid({ pid = 0 }: ChildProcess): number {
  const found = descendants(pid).find(({ command }) => command.startsWith(process.execPath));
  if (found === undefined) throw new Error('the screen does not run');
  return found.pid;
}

function sleep(spanMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, spanMs));
}
