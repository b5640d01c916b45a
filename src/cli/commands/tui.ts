/** `mx8 tui`: the operator's screen. */
import { Mx8Error } from '../../core/base/errors.ts';
import { jobId, manifestHash } from '../../core/base/units.ts';
import { STOP_EXIT_CODES } from '../../platform/signals.ts';
import { verdictText } from '../../tui/report-text.ts';
import { PANELS } from '../../tui/report.ts';
import { runHeadless } from '../../tui/run-headless.ts';
import type { HeadlessEnd } from '../../tui/run-headless.ts';
import { runScreen } from '../../tui/run-screen.ts';
import { CLIENT_FLAGS, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { EXIT_DONE, EXIT_FAILED, exitCodeOf } from '../exit-codes.ts';
import type { OptionsOf } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as screen from '../flags/screen.ts';
import { ManifestCopy } from '../tui/manifest-copy.ts';
import { NodeTerminal, hasTerminal } from '../tui/node-terminal.ts';

/** A screen says that nobody answers rather than wait for the coordinator as a job does. */
const POLL_TIMEOUT_MS = 3000;

const FLAGS = {
  ...CLIENT_FLAGS,
  jobId: cluster.jobIdFlag,
  headlessPolls: screen.headlessPolls,
  pollMs: screen.pollMs,
  json: screen.json,
  manifestPath: screen.manifestPath,
  manifestHash: screen.manifestHash,
  search: screen.search,
  rowsPerPage: screen.rowsPerPage,
  staleHeartbeatMs: screen.staleHeartbeatMs,
  leaseStallMs: screen.leaseStallMs,
} as const;

export const command: Command = defineCommand({
  name: 'tui',
  summary: 'watch a job on a screen: progress, nodes, leases, manifest, events',
  about:
    'Draws how a job stands and keeps it current: health with its reason and what to do, every counter, the nodes against their caps, the leases, the rows of the manifest, what happened between polls. It only reads. ? shows the keys. With --headless-polls it prints each poll as a block, or with --json as a line, and ends with another status than 0 where a panel failed or stayed empty, saying which and why.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 tui', doc: 'the one job of the coordinator on this machine' },
    {
      command:
        'mx8 tui --coord-url http://10.0.0.5:50051 --job-id j --headless-polls 6 --poll-ms 300',
      doc: 'six polls for a log or a script',
    },
    {
      command: 'mx8 tui --manifest-path /data/manifest.tsv --search shard-00017',
      doc: 'the manifest from a copy, at the first row that has the text',
    },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const isHeadless = options.headlessPolls > 0;
  if (!isHeadless && !hasTerminal()) {
    throw new Mx8Error(
      'flag_invalid',
      'mx8 tui draws on a terminal, but stdin or stdout is none; print polls instead with --headless-polls N, or see mx8 status',
      { flag: '--headless-polls' },
    );
  }
  const { clock } = io;
  const client = openClient(options, io, { callTimeoutMs: POLL_TIMEOUT_MS });
  // On its own connection, so that polls do not wait behind slices of the manifest.
  const manifestClient = openClient(options, io);
  await using copy =
    options.manifestPath === null ? null : new ManifestCopy(options.manifestPath, io);
  const what = {
    client,
    clock,
    jobId: options.jobId === null ? null : jobId(options.jobId),
    limits: options,
    target: options.coordUrl,
    pollMs: options.pollMs,
    manifest: {
      client: manifestClient,
      file: copy,
      wantedHash: options.manifestHash === null ? null : manifestHash(options.manifestHash),
    },
    search: options.search,
    rowsPerPage: options.rowsPerPage,
    signal: io.signal,
  };
  try {
    return isHeadless ? await printPolls(what, options, io) : await showScreen(what, io);
  } finally {
    await Promise.all([client.close(), manifestClient.close()]);
  }
}

type What = Omit<Parameters<typeof runScreen>[0], 'terminal' | 'colour'>;
type Options = OptionsOf<typeof FLAGS>;

async function printPolls(what: What, options: Options, io: CommandIo): Promise<number> {
  const { headlessPolls: polls, json } = options;
  const end = await runHeadless({ ...what, polls, json, print: io.stdout });
  io.stderr(verdictText(end.panels));
  return headlessExitCode(end);
}

function headlessExitCode({ panels, failure }: HeadlessEnd): number {
  if (failure !== null) return exitCodeOf(failure);
  return PANELS.every((name) => panels[name].state === 'ok') ? EXIT_DONE : EXIT_FAILED;
}

async function showScreen(what: What, io: CommandIo): Promise<number> {
  using terminal = new NodeTerminal();
  try {
    const end = await runScreen({ ...what, terminal, colour: io.colour });
    return end === 'interrupt' ? STOP_EXIT_CODES.SIGINT : EXIT_DONE;
  } catch (error) {
    // Being stopped is how a screen is left: nothing is lost that a sentence could warn of.
    if (error instanceof Mx8Error && error.code === 'interrupted') return exitCodeOf(error);
    throw error;
  }
}
