/**
 * Runs the benchmarks: `npm run bench [-- NAME…] [--json] [--check] [--objects N]`.
 *
 * Every `bench/*.bench.ts` exports `benchmark` and runs in a process of its own, one at a time, so that
 * memory and warmed-up code of one do not reach the next. NAME picks those whose name contains it;
 * `--json` prints rows as JSON lines; `--check` fails when a target is missed; `--objects` is how many objects
 * `listing` lists.
 */
import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { benchTable, isMet } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';

const CHILD_FLAG = '--child';

const only = process.argv.indexOf(CHILD_FLAG);
if (only === -1) await runAll();
else await runOne(process.argv[only + 1] ?? '', process.argv[only + 2] ?? null);

async function runAll(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      check: { type: 'boolean' },
      objects: { type: 'string' },
    },
  });
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.bench.ts'))
    .filter((name) => positionals.length === 0 || positionals.some((word) => name.includes(word)))
    .sort();
  if (files.length === 0) {
    process.stderr.write(`no benchmark has ${positionals.join(' or ')} in its name\n`);
    process.exitCode = 2;
    return;
  }
  process.stderr.write(`${machineText()}\n`);
  const rows: BenchRow[] = [];
  let failed = 0;
  for (const file of files) {
    process.stderr.write(`▸ ${file}\n`);
    const answer = await runInChild(file, values.objects ?? null);
    if (answer === null) failed += 1;
    else rows.push(...answer);
  }
  const print = values.json === true ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : '';
  process.stdout.write(values.json === true ? print : benchTable(rows));
  const missed = rows.filter((row) => !isMet(row)).length;
  if (failed > 0 || (values.check === true && missed > 0)) process.exitCode = 1;
}

/** The rows, or null when the benchmark failed; its own words are on stderr by then. */
function runInChild(file: string, objects: string | null): Promise<readonly BenchRow[] | null> {
  return new Promise((resolve) => {
    const further = objects === null ? [] : [objects];
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
