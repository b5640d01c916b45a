/** `mx8 coordinator`: hands out the work of jobs and keeps what was answered. */
import { startCoordinator } from '../../coordinator/index.ts';
import type { CoordinatorServer } from '../../coordinator/index.ts';
import { must } from '../../core/base/assert.ts';
import type { JobSpec } from '../../core/job/protocol.ts';
import { countedText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { openCoordinatorLog } from '../coordinator-state.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as screen from '../flags/screen.ts';
import { openManifestStore } from '../manifest-store.ts';
import { JOB_SPEC_FLAGS, openJob } from '../open-job.ts';

const FLAGS = {
  ...JOB_SPEC_FLAGS,
  bind: cluster.bindAddr,
  insecure: cluster.insecure,
  state: cluster.stateDir,
  manifestStoreRoot: data.manifestStoreRoot,
  grpcMaxMessageBytes: cluster.grpcMaxMessageBytes,
  json: screen.json,
} as const;

export const command: Command = defineCommand({
  name: 'coordinator',
  summary: 'hand out the work of a job to agents and keep what was answered',
  about:
    'Serves jobs to agents and to any v0 client until it is stopped. With JOB.ts, work counts when its output is committed; with --data alone, when it is delivered; without either it waits for mx8 submit. Killed at any moment and started again with the same command, it goes on from what it answered.',
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
      command: 'mx8 coordinator --data ./photos@refresh --world-size 8 --shuffle --seed 7',
      doc: 'a data set for eight training processes that read it with load()',
    },
  ],
  run,
});

async function run(
  { options, argument }: CommandLine<typeof FLAGS>,
  io: CommandIo,
): Promise<number> {
  const manifests = openManifestStore(options.manifestStoreRoot, io);
  const job = await openJob(argument, options, manifests, io);
  const fatal = Promise.withResolvers<never>();
  const stopped = whenAborted(io.signal);
  const coordinator = await startCoordinator({
    log: openCoordinatorLog(options.state, job?.spec ?? null),
    manifests,
    clock: io.clock,
    random: io.random,
    events: io.events,
    bind: parseBind(options.bind),
    insecure: options.insecure,
    jobs: job === null ? [] : [job.spec],
    grpcMaxMessageBytes: options.grpcMaxMessageBytes,
    onFatal: fatal.reject,
  });
  try {
    io.stdout(servingText(coordinator, job?.spec ?? null, options.json));
    await Promise.race([stopped, fatal.promise]);
  } finally {
    await coordinator.stop();
  }
  return EXIT_DONE;
}

function servingText(server: CoordinatorServer, spec: JobSpec | null, json: boolean): string {
  const { host, port } = server;
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
    return `${JSON.stringify({ event: 'serving', host, port, job })}\n`;
  }
  const lines = [`serving on ${host}:${port}`];
  if (spec !== null) {
    const name = spec.adoptsFirstJobId ? 'named by the first node' : spec.jobId;
    lines.push(`manifest_hash: ${spec.manifestHash}`);
    lines.push(
      `job ${name}: ${countedText(spec.sampleCount, 'sample')} in blocks of ${spec.blockSize}`,
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** The kind has checked the form. An empty host stands for all addresses of the machine. */
function parseBind(text: string): { host: string; port: number } {
  const match = must(/^(.*):(\d+)$/.exec(text), 'a checked address has a port');
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '0.0.0.0' : host, port: Number(match[2]) };
}

/** Resolves at the signal: being stopped is how a server ends. */
function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
