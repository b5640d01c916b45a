/** `mx8 clean`: what mx8 keeps on this machine, and removing what nobody uses any more. */
import { DAY_MS } from '../../core/base/retention.ts';
import {
  manifestCacheRetention,
  manifestCacheRoot,
  tidyManifestCache,
} from '../../snapshots/index.ts';
import type { CachedManifest } from '../../snapshots/index.ts';
import { bytesText, countedText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import * as data from '../flags/data.ts';
import * as job from '../flags/job.ts';
import * as operator from '../flags/operator.ts';
import * as screen from '../flags/screen.ts';
import { runsFolder } from '../run/run-state.ts';
import { isWorkedOn, tidyRuns } from '../run/tidy-runs.ts';
import type { KeptRun } from '../run/tidy-runs.ts';

const FLAGS = {
  keepDays: job.keepDays,
  manifestCacheBytes: data.manifestCacheBytes,
  runState: job.runState,
  unfinished: job.unfinished,
  dryRun: operator.dryRun,
  json: screen.json,
} as const;

export const command: Command = defineCommand({
  name: 'clean',
  summary: 'remove copies of manifests and states of finished runs that nobody uses any more',
  about:
    'Looks through ~/.mx8/manifest-cache and ~/.mx8/runs, says what is there, and removes copies of manifests and states of finished runs that were not used for --keep-days; of copies also those used longest ago, beyond --manifest-cache-bytes. What was used within a day, and what a process works on, stays. The state of a run that was interrupted is what --resume goes on with: it stays until --unfinished says otherwise. Snapshots, outputs and disk caches are not touched.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 clean --dry-run', doc: 'what is there, and what would go' },
    { command: 'mx8 clean --keep-days 7', doc: '' },
    {
      command: 'mx8 clean --keep-days 90 --unfinished',
      doc: 'give up what was interrupted three months ago',
    },
  ],
  run,
});

interface Line {
  readonly what: 'manifest' | 'run';
  readonly name: string;
  readonly isRemoved: boolean;
  readonly bytes: number;
  readonly unusedDays: number;
  /** Why it stays, or what it was. */
  readonly note: string;
}

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const { keepDays, manifestCacheBytes, unfinished, dryRun: isDryRun } = options;
  const nowUnixMs = io.clock.unixMs();
  const retention = manifestCacheRetention(manifestCacheBytes, keepDays);
  const copies = await tidyManifestCache(manifestCacheRoot(), retention, nowUnixMs, isDryRun);
  const how = { keepDays, unfinishedToo: unfinished, nowUnixMs, isDryRun };
  const runs = await tidyRuns(runsFolder(options.runState), how);
  const lines = [
    ...copies.removed.map((one) => manifestLine(one, true, nowUnixMs)),
    ...copies.kept.map((one) => manifestLine(one, false, nowUnixMs)),
    ...runs.removed.map((one) => runLine(one, true, nowUnixMs)),
    ...runs.kept.map((one) => runLine(one, false, nowUnixMs)),
  ];
  for (const line of lines) {
    io.stdout(options.json ? jsonOf(line, isDryRun) : `${textOf(line, isDryRun)}\n`);
  }
  io.stdout(options.json ? sumJson(lines, isDryRun) : `${sumText(lines, isDryRun)}\n`);
  return EXIT_DONE;
}

function manifestLine(
  { hash, bytes, usedUnixMs }: CachedManifest,
  isRemoved: boolean,
  nowUnixMs: number,
): Line {
  const unusedDays = daysSince(usedUnixMs, nowUnixMs);
  return { what: 'manifest', name: hash, isRemoved, bytes, unusedDays, note: 'a copy' };
}

function runLine(run: KeptRun, isRemoved: boolean, nowUnixMs: number): Line {
  const { jobId, out, isFinished, bytes, usedUnixMs } = run;
  const into = out === null ? '' : ` into ${out}`;
  const stays = (): string =>
    isWorkedOn(run) ? 'a process works on it' : 'interrupted: --resume goes on with it';
  const state = isFinished ? 'finished' : isRemoved ? 'interrupted' : stays();
  const unusedDays = daysSince(usedUnixMs, nowUnixMs);
  return { what: 'run', name: `${jobId}${into}`, isRemoved, bytes, unusedDays, note: state };
}

function daysSince(unixMs: number, nowUnixMs: number): number {
  return Math.max(0, Math.floor((nowUnixMs - unixMs) / DAY_MS));
}

function textOf({ what, name, isRemoved, bytes, unusedDays, note }: Line, isDry: boolean): string {
  const verb = isRemoved ? (isDry ? 'would remove' : 'removed') : 'kept';
  const used = unusedDays === 0 ? 'used today' : `unused for ${countedText(unusedDays, 'day')}`;
  return `${verb} ${what} ${name}: ${bytesText(bytes)}, ${used}, ${note}`;
}

function jsonOf(
  { what, name, isRemoved, bytes, unusedDays, note }: Line,
  isDryRun: boolean,
): string {
  const event = isRemoved ? (isDryRun ? 'would_remove' : 'removed') : 'kept';
  return `${JSON.stringify({ event, what, name, bytes, unused_days: unusedDays, note })}\n`;
}

interface Sum {
  readonly count: number;
  readonly bytes: number;
}

function sumOf(lines: readonly Line[], isRemoved: boolean): Sum {
  const some = lines.filter((one) => one.isRemoved === isRemoved);
  return { count: some.length, bytes: some.reduce((sum, line) => sum + line.bytes, 0) };
}

function sumText(lines: readonly Line[], isDryRun: boolean): string {
  const text = ({ count, bytes }: Sum): string => `${count} (${bytesText(bytes)})`;
  const verb = isDryRun ? 'to be removed' : 'removed';
  return `${verb}: ${text(sumOf(lines, true))}; kept: ${text(sumOf(lines, false))}`;
}

/** The last line, also where there is nothing: a program that reads lines knows the end by it. */
function sumJson(lines: readonly Line[], isDryRun: boolean): string {
  const [removed, kept] = [sumOf(lines, true), sumOf(lines, false)];
  const event = isDryRun ? 'would_clean' : 'cleaned';
  return `${JSON.stringify({ event, removed, kept })}\n`;
}
