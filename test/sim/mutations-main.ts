/**
 * `npm run sim:mutations [-- --only NAME] [--seeds N] [--sample K]`: puts each known bug in and plays
 * seeds until the simulator finds it; prints a table, and fails when one is not found.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { refuse, toolArguments, wholeNumber } from '../support/tool-arguments.ts';
import { MUTATIONS } from './mutations/all.ts';
import type { Played } from './run/play-seeds.ts';

/** Within so many seeds each has to be found. */
const SEEDS = 10_000;

/** Found after many hundreds of seeds: too late for a sample, which takes of the others. */
const FOUND_LATE: ReadonlySet<string> = new Set([
  'node-counts-from-the-answer',
  'deadline-from-the-answer',
  'overtaken-called-fenced',
  'late-failure-spoils-the-next-epoch',
  'memory-snapshot-unfenced',
  'finalizer-never-freed',
  'snapshot-unfenced',
  'doubled-lease-requeued',
  'progress-goes-back',
  'latest-jobs-forgotten',
  'failed-job-goes-by-itself',
  'stale-report-of-a-death',
  'boundary-unchecked-on-re-read',
  'gone-lease-worked-on',
]);

interface Outcome {
  readonly name: string;
  readonly played: number;
  readonly found: Played | null;
  /** Of its process, from start to end. */
  readonly cpuMs: number;
}

const USAGE = `Usage: npm run sim:mutations [-- --only NAME] [--seeds N] [--sample K]
  --only NAME   that known bug
  --seeds N     each has to be found within so many worlds (${SEEDS})
  --sample K    so many of them, others every day`;

const values = toolArguments(USAGE, {
  only: { type: 'string' },
  seeds: { type: 'string', default: String(SEEDS) },
  sample: { type: 'string' },
});
const seedsMax = wholeNumber(USAGE, 'seeds', values.seeds);

const chosen = choose();
const queue = [...chosen];
const outcomes: Outcome[] = [];
const workers = Array.from({ length: Math.min(2, availableParallelism()) }, () => work());
await Promise.all(workers);
const missed = outcomes.filter(({ found }) => found === null);
const seeds = outcomes.reduce((sum, { played }) => sum + played, 0);
const cpuS = outcomes.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1000;
process.stdout.write(
  `${outcomes.length - missed.length} of ${outcomes.length} known bugs found, in ${seeds} worlds and ${cpuS.toFixed(0)} s of processor time\n`,
);
if (missed.length > 0) process.exitCode = 1;

function choose(): typeof MUTATIONS {
  const { only, sample } = values;
  if (only !== undefined) {
    const names = only.split(',');
    const unknown = names.find((wanted) => MUTATIONS.every(({ name }) => name !== wanted));
    if (unknown !== undefined) refuse(USAGE, `There is no known bug ${JSON.stringify(unknown)}.`);
    return MUTATIONS.filter(({ name }) => names.includes(name));
  }
  if (sample === undefined) return MUTATIONS;
  const count = wholeNumber(USAGE, 'sample', sample);
  const day = Math.floor(Date.now() / 86_400_000);
  const shown = MUTATIONS.filter(({ name }) => !FOUND_LATE.has(name));
  process.stdout.write(`the sample of day ${day}\n`);
  return Array.from(
    { length: count },
    (_, index) => shown[(day * count + index) % shown.length],
  ).filter((mutation) => mutation !== undefined);
}

async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const outcome = await play(next.name);
    outcomes.push(outcome);
    const { name, played, found } = outcome;
    const how =
      found?.violation === null || found === null
        ? `NOT FOUND in ${played} seeds`
        : `seed ${String(found.seed).padStart(5)}  ${found.violation.checker}: ${found.violation.message.slice(0, 90)}`;
    process.stdout.write(`${name.padEnd(34)} ${how}\n`);
  }
}

function play(name: string): Promise<Outcome> {
  const script = fileURLToPath(new URL('./run/play-mutation.ts', import.meta.url));
  const args = ['--disable-warning=ExperimentalWarning', script, name, `${seedsMax}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Outcome);
      else reject(new Error(`the run of ${name} ended with status ${String(code)}`));
    });
  });
}
