/** `mx8 agent`: a node that works on a job's leases in worker processes. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';

import { startAgent } from '../../agent/index.ts';
import type { AgentHandle, AgentOptions, AgentOutcome } from '../../agent/index.ts';
import { isLoopback } from '../../core/base/bind-address.ts';
import { Mx8Error, isErrorCode } from '../../core/base/errors.ts';
import { jobId, nodeId } from '../../core/base/units.ts';
import type { NodeId } from '../../core/base/units.ts';
import { capAboveLimit, rssCapFields } from '../../core/memory/rss-cap.ts';
import { checkJobFile, loadJobModule } from '../../job/index.ts';
import { readMemoryLimits } from '../../platform/cgroup.ts';
import { otelTracer } from '../../platform/tracing.ts';
import type { AgentFigures } from '../../ports/agent-figures.ts';
import { type HttpServer, startAgentWeb } from '../../web/index.ts';
import { planAgentMemory } from '../agent/agent-memory.ts';
import { findJob } from '../agent/find-job.ts';
import { openReplicas } from '../agent/manifest-replicas.ts';
import { outputLocation } from '../../storage/output-stores.ts';
import { parseBind } from '../bind.ts';
import { CLIENT_FLAGS, openClient } from '../client.ts';
import { saysSilence } from '../../wire/no-answer.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { withDefault } from '../flag.ts';
import type { OptionsOf } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as demo from '../flags/demo.ts';
import * as job from '../flags/job.ts';
import * as memory from '../flags/memory.ts';
import { SERVER_TLS_FLAGS } from '../flags/tls.ts';
import { openManifestStore } from '../manifest-store.ts';
import { STORE_FLAGS, storeOptions } from '../stores.ts';
import { serverTls } from '../tls.ts';

const FLAGS = {
  ...CLIENT_FLAGS,
  jobId: cluster.jobIdFlag,
  nodeId: cluster.nodeIdFlag,
  jobFile: job.jobFile,
  out: job.outDir,
  onError: job.onError,
  want: cluster.leaseWant,
  workers: cluster.workers,
  batchSize: memory.batchSize,
  prefetchBatches: memory.prefetchBatches,
  maxQueueBatches: memory.maxQueueBatches,
  autotune: memory.autotune,
  maxInflightBytes: memory.maxInflightBytes,
  maxProcessRssBytes: memory.maxProcessRssBytes,
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  manifestHealing: data.manifestHealing,
  progressIntervalMs: cluster.progressIntervalMs,
  stallBudgetMs: cluster.stallBudgetMs,
  sinkSleepMs: withDefault(demo.sinkSleepMs, 0),
  deliverLog: demo.deliverLog,
  httpBind: cluster.httpBind,
  insecure: cluster.insecure,
  ...SERVER_TLS_FLAGS,
  ...STORE_FLAGS,
} as const;

type Options = OptionsOf<typeof FLAGS>;

export const command: Command = defineCommand({
  name: 'agent',
  summary: 'work on a job as one of its nodes',
  about:
    'Registers with a coordinator, leases blocks of samples, runs the job in worker processes and commits its output. Without JOB.ts it reads the samples and delivers them to nobody, to try a set-up. It waits for a coordinator that is not there yet, survives its restarts, and at SIGINT or SIGTERM finishes or gives back what it holds and ends with 0.',
  argument: {
    name: 'JOB.ts',
    doc: 'A module whose default export is made by defineJob.',
    isRequired: false,
  },
  flags: FLAGS,
  examples: [
    {
      command: 'mx8 agent embed.job.ts --coord-url http://10.0.0.5:50051 --out /data/vectors',
      doc: 'one node; the output folder is the same for all of them',
    },
    {
      command: 'mx8 agent --batch-size 64 --workers 2',
      doc: 'read a data set as fast as it goes',
    },
  ],
  run,
});

async function run(
  { options, argument }: CommandLine<typeof FLAGS>,
  io: CommandIo,
): Promise<number> {
  const { clock, random, events, signal } = io;
  const work = await workOf(argument, options, io);
  const client = openClient(options, io, { onUnanswered: saysSilence(events, 'this agent') });
  let agent: AgentHandle | null = null;
  const web = await serveAgentWeb(options, () => agent?.figures() ?? null, io);
  await using replicas = openReplicas(options, io);
  const store = openManifestStore(options, io, storeOptions(options));
  try {
    agent = await startAgent({
      client,
      clock,
      random,
      events,
      work,
      healing: options.manifestHealing === 'on' ? { store, replicas: replicas.all } : null,
      tracer: otelTracer(),
      jobId:
        options.jobId === null ? await findJob(client, io, options.coordUrl) : jobId(options.jobId),
      nodeId: options.nodeId === null ? defaultNodeId() : nodeId(options.nodeId),
      prefetchBatches: options.prefetchBatches,
      maxQueueBatches: options.maxQueueBatches,
      autotune: options.autotune,
      onError: options.onError,
      stores: storeOptions(options),
      stallTimeoutMs: options.stallBudgetMs,
      progressIntervalMs: options.progressIntervalMs,
      ...resourcesOf(options, io),
    });
    const started = agent;
    const drain = (): void => void started.drain('it was asked to stop');
    if (signal.aborted) drain();
    signal.addEventListener('abort', drain, { once: true });
    return exitCodeOf(await agent.done);
  } finally {
    await web?.close();
    await client.close();
  }
}

async function serveAgentWeb(
  options: Options,
  figures: () => AgentFigures | null,
  { clock, events }: CommandIo,
): Promise<HttpServer | null> {
  const { httpBind, insecure } = options;
  if (httpBind === null) return null;
  const onError = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    events.emit('error', 'http_request_failed', { message });
  };
  const bind = parseBind(httpBind);
  const files = isLoopback(bind.host) ? null : serverTls(options);
  const tls = files === null ? {} : { tls: files };
  const server = await startAgentWeb({ clock, bind, insecure, ...tls, figures, onError });
  events.emit('info', 'http_serving', { url: server.url });
  return server;
}

/** What the outputs are made of and where they go; every worker loads the module itself. */
async function workOf(
  argument: string,
  options: Options,
  io: CommandIo,
): Promise<AgentOptions['work']> {
  const jobFile = argument === '' ? options.jobFile : argument;
  if (jobFile === null) {
    const { batchSize, sinkSleepMs, deliverLog } = options;
    const logged = deliverLog === null ? {} : { deliverLog: resolve(deliverLog) };
    return { type: 'deliver', batchSize, sinkSleepMs, ...logged };
  }
  if (options.out !== null) {
    await checkJobFile(jobFile);
    return { type: 'job', jobFile: resolve(jobFile), out: outputLocation(options.out) };
  }
  const loaded = await loadJobModule(jobFile, io);
  const { dir } = loaded.job.output;
  if (dir !== null) return { type: 'job', jobFile: loaded.path, out: outputLocation(dir) };
  throw new Mx8Error(
    'flag_invalid',
    `job module ${loaded.path} names no output folder; say where the output goes with --out DIR`,
    { flag: '--out' },
  );
}

function resourcesOf(
  options: Options,
  io: CommandIo,
): Pick<AgentOptions, 'workers' | 'want' | 'caps' | 'maxProcessRssBytes'> {
  const workers = options.workers ?? options.want ?? 1;
  const readings = readMemoryLimits();
  const { cap, inflightBytes } = planAgentMemory({ ...options, workers }, readings);
  const asked = { name: '--max-process-rss-bytes', bytes: options.maxProcessRssBytes };
  const tooMuch = capAboveLimit(asked, readings);
  if (tooMuch !== null) io.events.emit('warn', 'memory_cap_above_limit', tooMuch);
  if (cap.derived) io.events.emit('info', 'rss_cap_defaulted', rssCapFields(cap));
  return {
    workers,
    want: options.want ?? workers + 1,
    maxProcessRssBytes: cap.capBytes,
    caps: {
      maxFetchConcurrency: workers * options.prefetchBatches,
      maxDecodeConcurrency: workers,
      maxInflightBytes: workers * inflightBytes,
      maxRamBytes: workers * cap.capBytes,
    },
  };
}

/** Unlike that of any other process: two agents with one id would push each other out. */
function defaultNodeId(): NodeId {
  const host = hostname().replaceAll(/[^A-Za-z0-9._-]/g, '-');
  return nodeId(`${host.slice(0, 100)}-${process.pid}`);
}

function exitCodeOf(outcome: AgentOutcome): number {
  switch (outcome.type) {
    case 'completed':
    case 'drained':
    case 'stopped':
      return EXIT_DONE;
    case 'failed':
      throw new Mx8Error(isErrorCode(outcome.code) ? outcome.code : 'job_failed', outcome.message);
    default:
      return outcome satisfies never;
  }
}
