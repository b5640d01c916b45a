/** `mx8 run`: a whole job on this machine. */
import { join } from 'node:path';
import { Mx8Error } from '../../core/base/errors.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import { type CoordinatorServer, startCoordinator } from '../../coordinator/index.ts';
import { type JobId, nodeId } from '../../core/base/units.ts';
import { SqliteLog } from '../../log/sqlite-log.ts';
import { StateLock } from '../../log/state-lock.ts';
import { otelTracer } from '../../platform/tracing.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import { countText } from '../../view/format.ts';
import { checkSafeBind, type HttpServer } from '../../web/index.ts';
import { parseBind } from '../bind.ts';
import type { CommandIo } from '../command-io.ts';
import { type Command, type CommandLine, defineCommand } from '../command.ts';
import { withDefault } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import { FORMAT_FLAGS } from '../flags/format.ts';
import * as job from '../flags/job.ts';
import * as memory from '../flags/memory.ts';
import * as screenFlags from '../flags/screen.ts';
import { SERVER_TLS_FLAGS } from '../flags/tls.ts';
import { AgentFleet, COMPLETED_GRACE_MS, STOP_GRACE_MS } from '../run/agent-fleet.ts';
import { agentArguments } from '../run/agent-arguments.ts';
import { prepareRun, type PreparedRun } from '../run/prepare.ts';
import type { RunOptions } from '../run/run-options.ts';
import { jsonEvents, quietEvents } from '../run/run-events.ts';
import { abandonUnfinished, checkStillThere, markFinished } from '../run/run-state.ts';
import { StatusScreen } from '../run/status-screen.ts';
import { type RunSummary, summaryFields, summaryText } from '../run/summary.ts';
import { type RunResult, supervise } from '../run/supervise.ts';
import { STORE_FLAGS } from '../stores.ts';
import { serverTls } from '../tls.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { serveCoordinatorWeb } from '../web/coordinator-web.ts';
import { makeFolders } from '../../storage/make-folders.ts';
import { writing } from '../../storage/output-error.ts';

const RUN_FLAGS = {
  data: data.dataLink,
  ...FORMAT_FLAGS,
  out: job.outDir,
  runState: job.runState,
  nodes: job.nodes,
  ramBytes: memory.ramBytes,
  resume: job.resume,
  json: screenFlags.json,
  onError: job.onError,
  blockSize: data.blockSize,
  workers: withDefault<number | null>(cluster.workers, null, 'what the cores and --ram-gb allow'),
  shuffle: data.shuffle,
  seed: data.seed,
  epoch: data.epoch,
  maxInflightBytes: memory.maxInflightBytes,
  maxProcessRssBytes: memory.maxProcessRssBytes,
  prefetchBatches: memory.prefetchBatches,
  maxQueueBatches: memory.maxQueueBatches,
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  leaseTtlMs: cluster.leaseTtlMs,
  heartbeatIntervalMs: cluster.heartbeatIntervalMs,
  progressIntervalMs: cluster.progressIntervalMs,
  stallBudgetMs: cluster.stallBudgetMs,
  relief: cluster.relief,
  maxStoreRequests: cluster.maxStoreRequests,
  requeueDead: cluster.requeueDead,
  staleHeartbeatMs: screenFlags.staleHeartbeatMs,
  leaseStallMs: screenFlags.leaseStallMs,
  httpBind: cluster.httpBind,
  insecure: cluster.insecure,
  ...SERVER_TLS_FLAGS,
  ...STORE_FLAGS,
} as const;

/** The address of the page is the run's alone: its agents leave that port to it. */
const AGENT_ENVIRONMENT = { MX8_LOG_FORMAT: 'json', MX8_HTTP_BIND_ADDR: 'off' } as const;

/** A run's coordinator has no others beside it that it would ask for their pages. */
const NO_OTHERS = {
  tlsCa: null,
  tlsClientCert: null,
  tlsClientKey: null,
  grpcMaxMessageBytes: cluster.grpcMaxMessageBytes.defaultValue,
} as const;

/** How often the coordinator looks at leases; agents on one machine make an extra look cheap. */
const TICK_INTERVAL_MS = 100;

export const command: Command = defineCommand({
  name: 'run',
  summary: 'run a job on this machine, with as many agents as asked for',
  about:
    'Starts a coordinator, agents and their worker processes, runs the job over its whole input and ends with a summary. Every sample ends up in the output exactly once. Ctrl-C stops cleanly; the same command with --resume goes on.',
  argument: {
    name: 'JOB.ts',
    doc: 'A module whose default export is made by defineJob.',
    isRequired: true,
  },
  flags: RUN_FLAGS,
  examples: [
    { command: 'mx8 run embed.job.ts --data ./docs --out ./vectors --nodes 2 --ram-gb 4', doc: '' },
    {
      command: 'mx8 run embed.job.ts --out ./vectors --resume',
      doc: 'go on after Ctrl-C or a crash',
    },
    {
      command: 'mx8 run embed.job.ts --http-bind 127.0.0.1:50080',
      doc: 'with a page to look at meanwhile, and metrics',
    },
  ],
  run: runCommand,
});

async function runCommand(line: CommandLine<typeof RUN_FLAGS>, io: CommandIo): Promise<number> {
  const { options } = line;
  checkPage(options);
  using screen = new StatusScreen(io);
  const given: ReadonlySet<string> = line.given;
  const isQuiet = io.isTerminal && !given.has('log');
  const events = options.json
    ? jsonEvents(io)
    : isQuiet
      ? quietEvents(io, (text) => screen.print(text))
      : io.events;
  const prepared = await prepareRun(line.argument, options, { io, screen, events });
  screen.clear();
  let last: JobSnapshot | null = null;
  try {
    const begun = await runPrepared(prepared, options, io, screen, events, (snapshot) => {
      last = snapshot;
    });
    say(begun, prepared, options, io, events);
    return EXIT_DONE;
  } catch (error) {
    screen.clear();
    throw withWayOn(error, prepared, last);
  }
}

interface Finished {
  readonly result: RunResult;
  readonly samplesBefore: number;
}

async function runPrepared(
  prepared: PreparedRun,
  options: RunOptions,
  io: CommandIo,
  screen: StatusScreen,
  events: EventSink,
  onSnapshot: (snapshot: JobSnapshot) => void,
): Promise<Finished> {
  const { stateFolder } = prepared;
  await writing('create the folder', stateFolder, () => makeFolders(stateFolder));
  using _lock = StateLock.take(join(stateFolder, 'run.lock'), `the output ${prepared.outText}`);
  checkStillThere(prepared.out, stateFolder);
  if (options.resume) await abandonUnfinished(prepared.out, options, { ...io, events });
  const fatal = Promise.withResolvers<never>();
  fatal.promise.catch(() => undefined);
  const log = new SqliteLog(join(stateFolder, 'coordinator.sqlite'));
  const coordinator = await ownCoordinator(log, prepared, options, { ...io, events }, fatal.reject);
  const { jobId } = prepared.spec;
  let committed = 0;
  const fleet: AgentFleet = new AgentFleet({
    agentArguments: agentArguments(prepared, options, `http://127.0.0.1:${coordinator.port}`),
    nodeIds: Array.from({ length: options.nodes }, (_, index) => `node-${index}`),
    environment: { ...io.environment, ...AGENT_ENVIRONMENT },
    clock: io.clock,
    events,
    onLine: (nodeId, text) => {
      if (passOn(nodeId, text, events, screen, options.json) === 'agent_ended') {
        fleet.saidItsEnd(nodeId);
      }
    },
    committedSamples: () => committed,
    ...(options.requeueDead ? { onDied: requeuer(coordinator, jobId, events) } : {}),
  });
  let web: HttpServer | null = null;
  let isCompleted = false;
  try {
    web = await servePage(coordinator, options, { io, screen, events });
    // Agents end with their supervisor, so whoever was there before is gone. A run that was killed before
    // its job was created has none to go on with yet.
    const goesOn = options.resume && (await coordinator.beginRun(jobId, options.nodes));
    if (!goesOn) await coordinator.client.submitJob(prepared.spec);
    const first = await coordinator.client.snapshot(jobId);
    const samplesBefore = first.samples.committed + first.samples.quarantined;
    onSnapshot(first);
    if (first.phase !== 'completed') fleet.start();
    const { client } = coordinator;
    const result = await supervise({
      ...{ io, client, fleet, screen, events, jobId },
      emitsProgress: options.json,
      name: prepared.name,
      rssCapBytes: prepared.memory.totalBytes,
      limits: options,
      fatal: fatal.promise,
      onSnapshot: (snapshot) => {
        committed = snapshot.samples.committed;
        onSnapshot(snapshot);
      },
    });
    isCompleted = result.snapshot.phase === 'completed';
    if (isCompleted) await markFinished(prepared.out, stateFolder);
    return { result, samplesBefore };
  } finally {
    await fleet.stop(isCompleted ? COMPLETED_GRACE_MS : STOP_GRACE_MS);
    // What agents committed while they stopped is in the last words too.
    await coordinator.client.snapshot(jobId).then(onSnapshot, () => undefined);
    await coordinator.stop();
    await web?.close();
  }
}

/** The coordinator of this run alone: on the loopback interface, with its log in the run's folder. */
function ownCoordinator(
  log: SqliteLog,
  prepared: PreparedRun,
  options: RunOptions,
  { clock, random, events }: Pick<CommandIo, 'clock' | 'random'> & { readonly events: EventSink },
  onFatal: (error: unknown) => void,
): Promise<CoordinatorServer> {
  return startCoordinator({
    log,
    manifests: prepared.manifests,
    clock,
    random,
    events,
    bind: { host: '127.0.0.1', port: 0 },
    tickIntervalMs: TICK_INTERVAL_MS,
    relief: options.relief,
    storeRequestsMax: options.maxStoreRequests,
    stores: prepared.traffic,
    tracer: otelTracer(),
    onFatal,
  });
}

/** What is wrong with its address or certificates is said before anything is begun. */
function checkPage(options: RunOptions): void {
  const { httpBind, insecure } = options;
  if (httpBind !== null)
    checkSafeBind({ bind: parseBind(httpBind), tls: serverTls(options), insecure });
}

/** Page and metrics of the run, where they are asked for; says their address once. */
async function servePage(
  coordinator: CoordinatorServer,
  options: RunOptions,
  { io, screen, events }: { io: CommandIo; screen: StatusScreen; events: EventSink },
): Promise<HttpServer | null> {
  const { httpBind, insecure } = options;
  // Its coordinator listens on loopback only: the certificate is for the page.
  const tls = serverTls(options);
  const own = { httpBind, insecure, isDefault: false, tls, limits: options };
  const web = await serveCoordinatorWeb(coordinator, { ...own, ...NO_OTHERS }, { ...io, events });
  // Under a bar what is only worth knowing is not printed; elsewhere the event has said it.
  if (web !== null && io.isTerminal && !options.json) screen.print(`page and metrics: ${web.url}`);
  return web;
}

function say(
  { result, samplesBefore }: Finished,
  prepared: PreparedRun,
  options: RunOptions,
  io: CommandIo,
  events: EventSink,
): void {
  const { committed, quarantined } = result.snapshot.samples;
  const summary: RunSummary = {
    name: prepared.name,
    snapshot: result.snapshot,
    elapsedMs: result.elapsedMs,
    samplesThisRun: committed + quarantined - samplesBefore,
    peakRssBytes: result.peakRssBytes,
    rssCapBytes: prepared.memory.totalBytes,
    nodes: options.nodes,
    out: prepared.outText,
    inputHash: prepared.spec.manifestHash,
    snapshotAge: prepared.snapshotAge,
  };
  if (options.json) events.emit('info', 'run_completed', summaryFields(summary));
  else io.stdout(summaryText(summary));
}

/**
 * An agent's line: a structured one goes to the events under its node, another is printed as it is. The name
 * of the event, or null.
 */
function passOn(
  nodeId: string,
  text: string,
  events: EventSink,
  screen: StatusScreen,
  isJson: boolean,
): string | null {
  const event = parseEvent(text);
  // The run has said it of all its processes, by the name of its own flag.
  if (event?.event === 'memory_cap_above_limit') return event.event;
  if (event !== null) events.emit(event.level, event.event, { node_id: nodeId, ...event.fields });
  else if (isJson) events.emit('info', 'agent_output', { node_id: nodeId, text });
  else screen.print(`[${nodeId}] ${text}`);
  return event?.event ?? null;
}

function parseEvent(text: string): {
  level: 'debug' | 'info' | 'warn' | 'error';
  event: string;
  fields: Record<string, never>;
} | null {
  if (!text.startsWith('{')) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const { level, event, time: _, ...fields } = value as Record<string, never>;
  const known = (['debug', 'info', 'warn', 'error'] as const).find((name) => name === level);
  return known === undefined || typeof event !== 'string' ? null : { level: known, event, fields };
}

/** The error with what is kept and how to go on. */
function withWayOn(error: unknown, prepared: PreparedRun, last: JobSnapshot | null): unknown {
  if (!(error instanceof Mx8Error) || last === null) return error;
  const { committed, quarantined } = last.samples;
  const done = countText(committed + quarantined);
  const total = countText(last.spec.sampleCount);
  // What was said may be a whole sentence already.
  const message = `${error.message.replace(/\.$/, '')}; ${done} of ${total} samples are committed; go on with: ${prepared.resumeCommand}`;
  return new Mx8Error(error.code, message, error.details, error);
}

/** What a dead agent held goes to others at once; if that cannot be said, its leases run out. */
function requeuer(
  coordinator: CoordinatorServer,
  jobId: JobId,
  events: EventSink,
): (nodeName: string) => void {
  return (nodeName) => {
    coordinator.nodeDied(jobId, nodeId(nodeName)).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      events.emit('warn', 'dead_node_not_requeued', { node_id: nodeName, message });
    });
  };
}
