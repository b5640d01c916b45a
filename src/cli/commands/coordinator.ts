/** `mx8 coordinator`: hands out the work of jobs and keeps what was answered. */
import { startCoordinator } from '../../coordinator/index.ts';
import type { CoordinatorServer } from '../../coordinator/index.ts';
import type { BindAddress } from '../../core/base/bind-address.ts';
import { DAY_MS } from '../../core/base/retention.ts';
import { otelTracer } from '../../platform/tracing.ts';
import type { ManifestStore } from '../../ports/manifest-store.ts';
import { countedText } from '../../view/format.ts';
import { checkSafeBind } from '../../web/index.ts';
import type { HttpServer } from '../../web/index.ts';
import { checkBind } from '../../wire/grpc-server.ts';
import type { ServerTls } from '../../wire/grpc-server.ts';
import { dialableHost, parseBind } from '../bind.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { openCoordinatorState } from '../coordinator-state.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { withDefault } from '../flag.ts';
import type { OptionsOf } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as leadership from '../flags/leadership.ts';
import * as screen from '../flags/screen.ts';
import * as state from '../flags/state.ts';
import * as tlsFlags from '../flags/tls.ts';
import { openManifestStore } from '../manifest-store.ts';
import { JOB_SPEC_FLAGS, openJob } from '../open-job.ts';
import { StoreTraffic } from '../../storage/http/store-traffic.ts';
import { GUEST_FLAGS, openGuestTraffic } from '../store-guest.ts';
import { STORE_FLAGS, storeOptions } from '../stores.ts';
import type { OpenedJob } from '../open-job.ts';
import { serverTls } from '../tls.ts';
import { packageVersion } from '../version.ts';
import { serveCoordinatorWeb } from '../web/coordinator-web.ts';

const FLAGS = {
  ...JOB_SPEC_FLAGS,
  bind: cluster.bindAddr,
  httpBind: withDefault<string | null>(cluster.httpBind, cluster.HTTP_BIND_DEFAULT),
  insecure: cluster.insecure,
  relief: cluster.relief,
  maxStoreRequests: cluster.maxStoreRequests,
  keepJobs: cluster.keepJobs,
  keepJobsDays: cluster.keepJobsDays,
  ...tlsFlags.SERVER_TLS_FLAGS,
  coordUrl: {
    ...GUEST_FLAGS.coordUrl,
    doc: 'Where the coordinators of the same state listen: what this one lists before it serves is then part of the budget that the leading one divides.',
  },
  tlsCa: tlsFlags.tlsCa,
  tlsClientCert: tlsFlags.tlsClientCert,
  tlsClientKey: tlsFlags.tlsClientKey,
  state: state.statePlace,
  etcdCa: state.etcdCa,
  etcdCert: state.etcdCert,
  etcdKey: state.etcdKey,
  etcdUser: state.etcdUser,
  etcdPasswordFile: state.etcdPasswordFile,
  leaderTtlMs: leadership.leaderTtlMs,
  advertise: leadership.advertise,
  keepPaused: leadership.keepPaused,
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  ...STORE_FLAGS,
  grpcMaxMessageBytes: cluster.grpcMaxMessageBytes,
  staleHeartbeatMs: screen.staleHeartbeatMs,
  leaseStallMs: screen.leaseStallMs,
  json: screen.json,
} as const;

export const command: Command = defineCommand({
  name: 'coordinator',
  summary: 'hand out the work of a job to agents and keep what was answered',
  about:
    'Serves jobs to agents and to any v0 client until it is stopped. With JOB.ts, work counts when its output is committed; with --data alone, when it is delivered; without either it waits for mx8 submit. Killed at any moment and started again with the same command, it goes on from what it answered; stopped with SIGINT or SIGTERM it ends with 0. A second one on the same state stands by and takes over within seconds; give agents the addresses of both.',
  argument: {
    name: 'JOB.ts',
    doc: 'A module whose default export is made by defineJob.',
    isRequired: false,
  },
  flags: FLAGS,
  examples: [
    {
      command: 'mx8 coordinator embed.job.ts --data ./docs --world-size 2',
      doc: 'a job for two agents: mx8 agent embed.job.ts',
    },
    {
      command: 'mx8 coordinator embed.job.ts --data ./docs --world-size 2 --bind 127.0.0.1:50052',
      doc: 'a standby on the same machine: the same command on another port',
    },
    {
      command: 'mx8 coordinator --data ./photos@refresh --world-size 8 --shuffle --seed 7',
      doc: 'a data set for eight training processes that read it with load()',
    },
  ],
  run,
});

async function run(
  { options, argument, given }: CommandLine<typeof FLAGS>,
  io: CommandIo,
): Promise<number> {
  const bind = parseBind(options.bind);
  const tls = serverTls(options);
  // Before the data are listed, which may take an hour.
  checkBinds(bind, tls, options);
  const traffic = new StoreTraffic(io.clock);
  const manifests = openManifestStore(options, { ...io, traffic }, storeOptions(options));
  const job = await openedJob(argument, options, manifests, io, traffic);
  const fatal = Promise.withResolvers<never>();
  const stopped = whenAborted(io.signal);
  const { clock } = io;
  const { advertise } = options;
  await using kept = await openCoordinatorState(options, io, job?.spec ?? null);
  const coordinator = await startCoordinator({
    log: kept.log,
    election: kept.election,
    ...advertised(advertise, bind, tls !== null),
    version: packageVersion(),
    manifests,
    clock,
    random: io.random,
    events: io.events,
    bind,
    insecure: options.insecure,
    ...(tls === null ? {} : { tls }),
    jobs: job === null ? [] : [job.spec],
    grpcMaxMessageBytes: options.grpcMaxMessageBytes,
    leaseStallMs: options.leaseStallMs,
    relief: options.relief,
    storeRequestsMax: options.maxStoreRequests,
    keepJobs: { latest: options.keepJobs, keepMs: options.keepJobsDays * DAY_MS },
    stores: traffic,
    tracer: otelTracer(),
    onFatal: fatal.reject,
  });
  let web: HttpServer | null = null;
  try {
    const isDefault = !given.has('httpBind');
    const webOptions = { ...options, tls, isDefault, limits: options };
    web = await serveCoordinatorWeb(coordinator, webOptions, io);
    io.stdout(servingText(coordinator, web, job, options.json));
    await Promise.race([stopped, fatal.promise]);
  } finally {
    await coordinator.stop();
    await web?.close();
  }
  return EXIT_DONE;
}

/** Before it serves there may be another one that leads, and divides a budget. */
async function openedJob(
  moduleFile: string,
  options: OptionsOf<typeof FLAGS>,
  manifests: ManifestStore,
  io: CommandIo,
  traffic: StoreTraffic,
): Promise<OpenedJob | null> {
  await using _guest = openGuestTraffic('coordinator', options, io, traffic);
  return await openJob(moduleFile, options, manifests, options, { ...io, traffic });
}

function checkBinds(
  bind: BindAddress,
  tls: ServerTls | null,
  { httpBind, insecure }: { readonly httpBind: string | null; readonly insecure: boolean },
): void {
  checkBind({ bind, tls, insecure });
  if (httpBind !== null) checkSafeBind({ bind: parseBind(httpBind), tls, insecure });
}

function servingText(
  server: CoordinatorServer,
  web: HttpServer | null,
  opened: OpenedJob | null,
  json: boolean,
): string {
  const spec = opened?.spec ?? null;
  const { host, port, role } = server;
  if (json) {
    const job =
      spec === null
        ? null
        : {
            job_id: spec.adoptsFirstJobId ? null : spec.jobId,
            manifest_hash: spec.manifestHash,
            sample_count: spec.sampleCount,
            block_size: spec.blockSize,
          };
    const url = web?.url ?? null;
    return `${JSON.stringify({ event: 'serving', host, port, role, url, job })}\n`;
  }
  const lines = [`serving on ${host}:${port}`];
  if (web !== null) lines.push(`page and metrics: ${web.url}`);
  if (spec !== null) {
    const name = spec.adoptsFirstJobId ? 'named by the first node' : spec.jobId;
    lines.push(`manifest_hash: ${spec.manifestHash}`);
    lines.push(
      `job ${name}: ${countedText(spec.sampleCount, 'sample')} in blocks of ${spec.blockSize}`,
    );
    const age = opened?.snapshotAge ?? null;
    if (age !== null) lines.push(`input: ${age}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Nobody can dial an address that stands for all of a machine's: its name is said instead. */
function advertised(
  given: string | null,
  bind: BindAddress,
  usesTls: boolean,
): { readonly advertise?: string } {
  if (given !== null) return { advertise: given };
  const host = dialableHost(bind.host);
  if (host === bind.host || bind.port === 0) return {};
  return { advertise: `${usesTls ? 'https://' : ''}${host}:${bind.port}` };
}

/** Resolves at the signal: being stopped is how a server ends. */
function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
