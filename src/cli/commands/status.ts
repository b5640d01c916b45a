/** `mx8 status`: how a job stands. */
import { jobId } from '../../core/base/units.ts';
import { CLIENT_FLAGS, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { withDefault } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as screen from '../flags/screen.ts';
import { watchStatus } from '../status/watch-status.ts';

const FLAGS = {
  ...CLIENT_FLAGS,
  jobId: cluster.jobIdFlag,
  json: screen.json,
  polls: { ...withDefault(screen.headlessPolls, 1), name: 'polls' },
  pollMs: screen.pollMs,
  staleHeartbeatMs: screen.staleHeartbeatMs,
  leaseStallMs: screen.leaseStallMs,
} as const;

/** Somebody waits for the answer; a coordinator that is there gives it in milliseconds. */
const CALL_TIMEOUT_MS = 3000;

export const command: Command = defineCommand({
  name: 'status',
  summary: 'print how a job stands: progress, nodes, leases, health',
  about:
    'Asks a coordinator for a snapshot of a job and prints it with a judgement: healthy, degraded or stalled, why, and what to do. With more than one poll it also shows rates and what stands still.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 status', doc: 'the one job of the coordinator on this machine' },
    {
      command: 'mx8 status --coord-url http://10.0.0.5:50051 --job-id j --polls 0 --json',
      doc: 'a line of JSON every second until stopped',
    },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const client = openClient(options, io, { callTimeoutMs: CALL_TIMEOUT_MS });
  try {
    await watchStatus(
      {
        ...options,
        client,
        jobId: options.jobId === null ? null : jobId(options.jobId),
        limits: options,
      },
      io,
    );
  } finally {
    await client.close();
  }
  return EXIT_DONE;
}
