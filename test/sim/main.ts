/**
 * `npm run sim -- --seeds N [--from S] [--jobs K] [--coverage]` plays N worlds; `--seed S [--verbose]`
 * plays one and prints what happened in it; `--regressions` plays the seeds that once failed; `--same-on NODE`
 * plays them on that other Node too, and all that happens has to be the same there. Ends with
 * status 1 when something did not hold, and says with which line it can be seen again.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { toolArguments, wholeNumber } from '../support/tool-arguments.ts';
import { COVERED_SEEDS, coverageText, holesOf } from './run/coverage-text.ts';
import { type Played, playSeeds } from './run/play-seeds.ts';
import { playRanges } from './run/ranges.ts';

const USAGE = `Usage:
  npm run sim -- [--seeds N] [--from S] [--jobs K] [--coverage]   plays N worlds (1000)
  npm run sim -- --seed S [--verbose]                             plays one, and prints what happened in it
  npm run sim -- --regressions                                    plays those that once failed
  npm run sim -- --seeds N --same-on NODE                         and on that Node: all must be the same`;

const values = toolArguments(USAGE, {
  seeds: { type: 'string', default: '1000' },
  from: { type: 'string', default: '1' },
  seed: { type: 'string' },
  jobs: { type: 'string', default: String(availableParallelism()) },
  verbose: { type: 'boolean', default: false },
  coverage: { type: 'boolean', default: false },
  regressions: { type: 'boolean', default: false },
  'same-on': { type: 'string' },
});
const from = wholeNumber(USAGE, 'from', values.from, 0);
const count = wholeNumber(USAGE, 'seeds', values.seeds);
const processes = wholeNumber(USAGE, 'jobs', values.jobs);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell({ seed, violation, atMs }: Played & { readonly atMs?: number }): void {
  if (violation === null) return;
  process.exitCode = 1;
  print(
    `seed ${seed}: ${violation.checker}: ${violation.message} (at ${atMs ?? violation.atMs} ms)`,
  );
  print(`  npm run sim -- --seed ${seed} --verbose`);
}

async function playOne(seed: number): Promise<void> {
  await playSeeds({
    from: seed,
    count: 1,
    ...(values.verbose ? { say: print } : {}),
    onPlayed: (played) => {
      const { events, entries, endMs, hash } = played;
      const digits = hash.toString(16).padStart(8, '0');
      print(`seed ${seed}: ${events} events, ${entries} entries, ${endMs} ms, hash ${digits}`);
      tell(played);
      return true;
    },
  });
}

async function playMany(): Promise<void> {
  const startMs = performance.now();
  const report = await playRanges(from, count, processes, tell);
  const { played, events, entries, cpuMs, digest, failed, coverage, midway, warm } = report;
  const onceWarm =
    warm.played === 0 ? '' : ` (${((warm.played * 1000) / warm.cpuMs).toFixed(0)} once warm)`;
  const wallS = (performance.now() - startMs) / 1000;
  print(
    `${played} seeds from ${from}: ${failed.length} failed; ${Math.round(events / played)} events and ${Math.round(entries / played)} entries each, ${midway} begun midway; ${(played / wallS).toFixed(0)} a second on ${processes} processes, ${((played * 1000) / cpuMs).toFixed(0)} a second of processor time${onceWarm}; digest ${digest.toString(16).padStart(8, '0')}`,
  );
  if (values['same-on'] !== undefined) await compareOn(values['same-on'], digest);
  if (values.coverage || count >= COVERED_SEEDS) print(coverageText(coverage));
  if (count < COVERED_SEEDS) return;
  for (const hole of holesOf(coverage)) {
    process.exitCode = 1;
    print(`coverage: ${hole}`);
  }
}

/** `digest` is of the same seeds on this Node. */
async function compareOn(node: string, digest: number): Promise<void> {
  const other = await playRanges(from, count, processes, tell, node);
  const isSame = other.digest === digest && other.played === count;
  if (!isSame) process.exitCode = 1;
  const found = other.digest.toString(16).padStart(8, '0');
  print(`${other.played} seeds on ${node}: ${isSame ? 'the same' : 'ANOTHER'} digest ${found}`);
}

async function playRegressions(): Promise<void> {
  const text = readFileSync(new URL('./regressions.json', import.meta.url), 'utf8');
  const regressions = JSON.parse(text) as readonly {
    readonly seed: number;
    readonly why: string;
  }[];
  for (const { seed } of regressions) await playOne(seed);
}

if (values.regressions) await playRegressions();
else if (values.seed === undefined) await playMany();
else await playOne(wholeNumber(USAGE, 'seed', values.seed, 0));
