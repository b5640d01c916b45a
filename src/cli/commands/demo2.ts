/** `mx8 demo2`: the runbook's recovery demonstration. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobId } from '../../core/base/units.ts';
import type { Fact, JobSnapshot } from '../../core/job/protocol.ts';
import { type CoordinatorServer, MemoryLog, startCoordinator } from '../../coordinator/index.ts';
import { resolveLink } from '../../snapshots/index.ts';
import { type Command, type CommandLine, defineCommand } from '../command.ts';
import type { CommandIo } from '../command-io.ts';
import { countDeliveries, type DeliveryCount } from '../demo/delivery-count.ts';
import { factLine } from '../demo/fact-line.ts';
import { makeSamples } from '../demo/make-samples.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.ts';
import { type OptionsOf, withDefault } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as demo from '../flags/demo.ts';
import * as job from '../flags/job.ts';
import * as memory from '../flags/memory.ts';
import * as screen from '../flags/screen.ts';
import { jobSpecOf } from '../job-spec.ts';
import { writing } from '../../storage/output-error.ts';
import { openManifestStore } from '../manifest-store.ts';
import { AgentFleet } from '../run/agent-fleet.ts';

/** Short, so that the requeue can be watched; a cluster's default is five times that. */
const LEASE_TTL_MS = 2000;
const HEARTBEAT_INTERVAL_MS = 250;
const PROGRESS_INTERVAL_MS = 200;
const JOB = jobId('demo2');
/** How often the end of the job is looked for. */
const LOOK_INTERVAL_MS = 50;

const FLAGS = {
  totalSamples: demo.totalSamples,
  bytesPerSample: demo.bytesPerSample,
  sinkSleepMs: demo.sinkSleepMs,
  killAfterMs: demo.killAfterMs,
  blockSize: withDefault<number | null>(data.blockSize, 1000),
  batchSize: withDefault(memory.batchSize, 64),
  nodes: withDefault(job.nodes, 2),
  leaseTtlMs: withDefault(cluster.leaseTtlMs, LEASE_TTL_MS),
  heartbeatIntervalMs: withDefault(cluster.heartbeatIntervalMs, HEARTBEAT_INTERVAL_MS),
  progressIntervalMs: withDefault(cluster.progressIntervalMs, PROGRESS_INTERVAL_MS),
  json: screen.json,
} as const;

type DemoOptions = OptionsOf<typeof FLAGS>;

export const command: Command = defineCommand({
  name: 'demo2',
  summary: 'kill a node in mid-job and watch its work being done by the others',
  about:
    'Starts a coordinator and agents over samples that it makes, kills the node that holds the first lease with SIGKILL, prints what happens as it happens, and ends with 0 only if the dead node’s remainder was requeued, the job drained, and every sample was delivered. It also says how many were delivered twice.',
  argument: null,
  flags: FLAGS,
  examples: [
    {
      command:
        'MX8_TOTAL_SAMPLES=12000 MX8_DEV_BLOCK_SIZE=1000 MX8_SINK_SLEEP_MS=25 MX8_KILL_AFTER_MS=25 mx8 demo2',
      doc: 'as the runbook has it',
    },
  ],
  run: runDemo,
});

async function runDemo({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-demo2-'));
  try {
    const { totalSamples, bytesPerSample } = options;
    const manifestPath = await writing('write the samples of the demonstration to', folder, () =>
      makeSamples(folder, totalSamples, bytesPerSample),
    );
    return await demonstrate(folder, manifestPath, options, io);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function demonstrate(
  folder: string,
  manifestPath: string,
  options: DemoOptions,
  io: CommandIo,
): Promise<number> {
  const events = { emit: () => undefined };
  const manifests = openManifestStore(
    { manifestStoreRoot: join(folder, 'manifests') },
    { ...io, events },
  );
  const input = await resolveLink(manifestPath, { store: manifests, clock: io.clock, events });
  const spec = jobSpecOf({
    ...options,
    jobId: JOB,
    manifestHash: input.hash,
    sampleCount: input.sampleCount,
    worldSize: options.nodes,
    minWorldSize: options.nodes,
    shuffle: false,
    seed: 0n,
    epoch: 0,
    commitsOutputs: false,
  });
  const coordinator = await startCoordinator({
    log: new MemoryLog(),
    manifests,
    clock: io.clock,
    random: io.random,
    events,
    bind: { host: '127.0.0.1', port: 0 },
    jobs: [spec],
    onFatal: (error) => io.stderr(`${error.message}\n`),
  });
  const fleet = fleetOf(folder, coordinator, options, io);
  try {
    const killed = killFirstHolder(coordinator, fleet, options, io);
    fleet.start();
    const end = await drained(coordinator, io);
    return report(end, killed.nodeId, await deliveries(folder, options), options, io);
  } finally {
    await fleet.stop();
    await coordinator.stop();
  }
}

function fleetOf(
  folder: string,
  coordinator: CoordinatorServer,
  options: DemoOptions,
  io: CommandIo,
): AgentFleet {
  const shared: readonly (readonly [string, string | number])[] = [
    ['coord-url', `http://127.0.0.1:${coordinator.port}`],
    ['job-id', JOB],
    ['batch-size', options.batchSize],
    ['sink-sleep-ms', options.sinkSleepMs],
    ['progress-interval-ms', options.progressIntervalMs],
  ];
  const flags = shared.flatMap(([name, value]) => [`--${name}`, String(value)]);
  return new AgentFleet({
    agentArguments: (nodeId) => [
      ...flags,
      '--node-id',
      nodeId,
      '--deliver-log',
      deliverLog(folder, nodeId),
    ],
    nodeIds: nodeIds(options),
    environment: { ...io.environment, MX8_LOG: 'warn', MX8_LOG_FORMAT: 'human' },
    clock: io.clock,
    events: { emit: () => undefined },
    onLine: (nodeId, line) => io.stderr(`[${nodeId}] ${line}\n`),
    committedSamples: () => 0,
    restarts: false,
  });
}

function nodeIds(options: DemoOptions): readonly string[] {
  return Array.from({ length: options.nodes }, (_, index) => `node-${index}`);
}

function deliverLog(folder: string, nodeId: string): string {
  return join(folder, `${nodeId}.delivered`);
}

/** Prints facts as they happen, and kills the node of the first lease a while after its grant. */
function killFirstHolder(
  coordinator: CoordinatorServer,
  fleet: AgentFleet,
  options: DemoOptions,
  io: CommandIo,
): { nodeId: string | null } {
  const killed: { nodeId: string | null } = { nodeId: null };
  const startMs = io.clock.nowMs();
  const say = (line: string, fields: object): void => {
    const atMs = Math.round(io.clock.nowMs() - startMs);
    if (options.json) io.stdout(`${JSON.stringify({ at_ms: atMs, ...fields })}\n`);
    else io.stdout(`${(atMs / 1000).toFixed(3).padStart(8)} s  ${line}\n`);
  };
  coordinator.onFact((fact: Fact) => {
    say(factLine(fact), fact);
    if (fact.event !== 'lease_granted' || killed.nodeId !== null) return;
    killed.nodeId = fact.nodeId;
    io.clock.setTimer(options.killAfterMs, () => {
      say(`kill -9 ${fact.nodeId}`, { event: 'node_killed', nodeId: fact.nodeId });
      fleet.kill(fact.nodeId);
    });
  });
  return killed;
}

async function drained(coordinator: CoordinatorServer, io: CommandIo): Promise<JobSnapshot> {
  for (;;) {
    const snapshot = await coordinator.client.snapshot(JOB);
    if (snapshot.jobDrained) return snapshot;
    await io.clock.sleep(LOOK_INTERVAL_MS, io.signal);
  }
}

async function deliveries(folder: string, options: DemoOptions): Promise<DeliveryCount> {
  let log = '';
  for (const nodeId of nodeIds(options)) {
    try {
      log += await readFile(deliverLog(folder, nodeId), 'utf8');
    } catch (error) {
      // A node that was killed before its first batch has delivered nothing.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
    // A kill may have cut the last line short: what follows is a line of its own.
    if (!log.endsWith('\n')) log += '\n';
  }
  return countDeliveries(log, options.totalSamples);
}

function report(
  end: JobSnapshot,
  killedNode: string | null,
  count: DeliveryCount,
  options: DemoOptions,
  io: CommandIo,
): number {
  const { rangesRequeuedTotal, leasesExpiredTotal } = end.counters;
  const checks: readonly (readonly [string, boolean, string])[] = [
    ['a node was killed', killedNode !== null, killedNode ?? 'none held a lease'],
    [
      'its remainder was requeued',
      rangesRequeuedTotal > 0,
      `ranges_requeued_total=${rangesRequeuedTotal} leases_expired_total=${leasesExpiredTotal}`,
    ],
    [
      'the job drained',
      end.jobDrained,
      `${end.samples.committed} of ${options.totalSamples} samples`,
    ],
    [
      'every sample was delivered',
      count.missing === 0,
      `${count.missing} missing, ${count.again} delivered twice`,
    ],
  ];
  const isRight = checks.every(([, isMet]) => isMet);
  if (options.json) {
    const result = {
      event: 'demo2_result',
      ok: isRight,
      ...count,
      rangesRequeuedTotal,
      leasesExpiredTotal,
    };
    io.stdout(`${JSON.stringify(result)}\n`);
  } else {
    const lines = checks.map(
      ([what, isMet, detail]) => `  ${isMet ? 'ok ' : 'NOT'}  ${what.padEnd(28)} ${detail}`,
    );
    io.stdout(`\n${lines.join('\n')}\n`);
  }
  return isRight ? EXIT_DONE : EXIT_FAILED;
}
