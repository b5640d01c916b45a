/**
 * The promise of the product, with every process killed at least once: three agents and a coordinator as
 * separate processes, kill -9 of workers, of an agent and of the coordinator in one run. Each input must be
 * in the output exactly once, as an independent script reads it, and no token may commit twice.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkOutput } from '../support/check-output.ts';
import { freePort } from '../support/free-port.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';
import { descendants } from '../support/processes.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SAMPLES = 600;
const PAUSE = { TEST_PAUSE_MS: '40', MX8_LOG: 'info' };

interface Status {
  readonly phase: string;
  readonly samples: { readonly committed: number };
}

class Cluster {
  readonly bench: Workbench;
  readonly port: number;
  readonly out: string;
  coordinator: Mx8;

  constructor(bench: Workbench, port: number) {
    this.bench = bench;
    this.port = port;
    this.out = bench.path('out');
    this.coordinator = this.startCoordinator();
  }

  startCoordinator(): Mx8 {
    return this.bench.start([
      'coordinator',
      JOB,
      ...['--data', this.bench.path('in'), '--job-id', 'acceptance', '--block-size', '16'],
      ...['--world-size', '4', '--min-world-size', '3', '--lease-ttl-ms', '3000'],
      ...['--state', this.bench.path('state'), '--bind', `127.0.0.1:${this.port}`],
    ]);
  }

  startAgent(nodeId: string): Mx8 {
    return this.bench.start(
      [
        'agent',
        JOB,
        ...['--coord-url', `http://127.0.0.1:${this.port}`, '--job-id', 'acceptance'],
        ...['--node-id', nodeId, '--out', this.out],
      ],
      PAUSE,
    );
  }

  async committed(): Promise<number> {
    const status = await this.status();
    return status?.samples.committed ?? 0;
  }

  /** Null while the coordinator does not answer. */
  async status(): Promise<Status | null> {
    const ended = await this.bench.run([
      'status',
      '--json',
      ...['--coord-url', `http://127.0.0.1:${this.port}`, '--job-id', 'acceptance', '--polls', '1'],
    ]);
    if (ended.code !== 0) return null;
    const line = ended.stdout.trim().split('\n').at(-1) ?? '';
    return JSON.parse(line) as Status;
  }
}

function workersOf(agent: Mx8): number[] {
  return descendants(agent.pid)
    .filter((entry) => entry.command.includes('worker-main'))
    .map((entry) => entry.pid);
}

test('kill -9 of workers, an agent and the coordinator: every input is in the output exactly once', async () => {
  await using bench = await Workbench.create();
  await bench.files('in', SAMPLES);
  const cluster = new Cluster(bench, await freePort());
  const agents = ['n0', 'n1', 'n2'].map((nodeId) => cluster.startAgent(nodeId));
  const [first, second] = agents;
  assert(first !== undefined && second !== undefined);

  await until('work is under way', async () => (await cluster.committed()) >= 64, 60_000);
  for (const pid of workersOf(first)) process.kill(pid, 'SIGKILL');

  await until('more is committed', async () => (await cluster.committed()) >= 160, 60_000);
  cluster.coordinator.child.kill('SIGKILL');
  await cluster.coordinator.ended;
  cluster.coordinator = cluster.startCoordinator();

  await until(
    'work goes on after the restart',
    async () => (await cluster.committed()) >= 256,
    60_000,
  );
  const orphans = workersOf(second);
  second.child.kill('SIGKILL');
  await second.ended;
  const replacement = cluster.startAgent('n3');

  const ended = await Promise.all(
    [agents[0], agents[2], replacement].flatMap((agent) => agent?.ended ?? []),
  );
  assert.equal(ended.length, 3);
  for (const agent of ended) assert.equal(agent.code, 0, agent.stderr);
  await until('no worker outlives its agent', () =>
    orphans.every((pid) => !descendants(1).some((entry) => entry.pid === pid)),
  );

  const [hash = ''] = await readdir(bench.path('manifests', 'by-hash'));
  const report = checkOutput(join(bench.path('manifests', 'by-hash'), hash), cluster.out);
  assert.deepEqual(
    { ...report },
    {
      inputs: SAMPLES,
      rows: SAMPLES,
      missing: [],
      repeated: [],
      foreign: [],
      altered: [],
      quarantined: 0,
    },
  );
  const status = await cluster.status();
  assert.equal(status?.phase, 'completed');
  const verified = await bench.run(['verify', cluster.out]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});
