/**
 * Runs the benchmarks: `npm run bench [-- NAME…] [--json] [--check] [--objects N]`.
 *
 * Every `bench/*.bench.ts` exports `benchmark` and runs in a process of its own, one at a time, so that
 * memory and warmed-up code of one do not reach the next. NAME picks those whose name contains it;
 * `--json` prints rows as JSON lines; `--check` fails when a target is missed; `--objects` is how many objects
 * `listing` lists.
 */
import { fork } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

import { benchChoice, benchHelp, firstSentence } from './choice.ts';
import type { BenchChoice } from './choice.ts';
import { benchTable, isMet } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';

const CHILD_FLAG = '--child';
const SUFFIX = '.bench.ts';

const only = process.argv.indexOf(CHILD_FLAG);
if (only === -1) await runAll();
else await runOne(process.argv[only + 1] ?? '', process.argv[only + 2] ?? null);

async function runAll(): Promise<void> {
  const all = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
  const choice = benchChoice(process.argv.slice(2), all);
  if (choice.type === 'help') {
    const about = all.map((name) => [name, firstSentence(sourceOf(name))] as const);
    process.stdout.write(benchHelp(new Map(about)));
  } else if (choice.type === 'refused') {
    process.stderr.write(`${choice.message}\n`);
    process.exitCode = 2;
  } else {
    await runChosen(choice);
  }
}

function sourceOf(name: string): string {
  return readFileSync(join(import.meta.dirname, `${name}${SUFFIX}`), 'utf8');
}

async function runChosen(choice: Extract<BenchChoice, { type: 'run' }>): Promise<void> {
  process.stderr.write(`${machineText()}\n`);
  const rows: BenchRow[] = [];
  let failed = 0;
  for (const name of choice.names) {
    const file = `${name}${SUFFIX}`;
    process.stderr.write(`▸ ${file}\n`);
    const answer = await runInChild(file, choice.objects);
    if (answer === null) failed += 1;
    else rows.push(...answer);
  }
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  process.stdout.write(choice.json ? lines : benchTable(rows));
  const missed = rows.filter((row) => !isMet(row)).length;
  if (failed > 0 || (choice.check && missed > 0)) process.exitCode = 1;
}

/** The rows, or null when the benchmark failed; its own words are on stderr by then. */
function runInChild(file: string, objects: number | null): Promise<readonly BenchRow[] | null> {
  return new Promise((resolve) => {
    const further = objects === null ? [] : [String(objects)];
    const child = fork(import.meta.filename, [CHILD_FLAG, file, ...further], {
      execArgv: [...process.execArgv, '--expose-gc'],
      serialization: 'advanced',
    });
    let rows: readonly BenchRow[] | null = null;
    child.on('message', (message) => {
      rows = message as readonly BenchRow[];
    });
    child.on('exit', (code, signal) => {
      if (code !== 0) process.stderr.write(`✖ ${file} ended with ${signal ?? String(code)}\n`);
      resolve(code === 0 ? rows : null);
    });
  });
}

async function runOne(file: string, objects: string | null): Promise<void> {
  const module = (await import(join(import.meta.dirname, file))) as { benchmark: Benchmark };
  const rows = await module.benchmark.run(objects === null ? {} : { objects: Number(objects) });
  // The process ends by itself once the parent has the rows: what is left open is a leak to be seen.
  process.send?.(rows, () => process.disconnect());
}

function machineText(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${availableParallelism()} × ${model}, Node ${process.version}, ${process.platform}`;
}
