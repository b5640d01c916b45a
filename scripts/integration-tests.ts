/**
 * Runs the files of `test/integration`, or those that are named, several at a time: most of what they do is
 * to wait for leases, clocks and other processes. A file that failed beside another has to pass by itself, and more
 * than once, as it is under suspicion; that it failed is told at the end (decision 0061).
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';

import { descendants, listProcesses, type ProcessEntry } from '../test/support/processes.ts';

const ROOT = join(import.meta.dirname, '..');
/** The longest file takes two minutes, on a busy machine four. One that hangs is ended, and has failed. */
const FILE_MS_MAX = 480_000;
/** Those are named that took longest, so that whoever looks for time knows where. */
const SLOWEST = 6;
/** Of a file that failed beside another. */
const PASSES_ALONE = 2;
/** Those that take minutes come first, so that none is left over for the end. */
const LONGEST = ['runbook', 'chaos', 'failover', 'run', 'tui', 'etcd-fail-over'];

const { values, positionals } = parseArgs({
  options: { 'at-once': { type: 'string', default: String(Math.min(2, availableParallelism())) } },
  allowPositionals: true,
});
const atOnce = Number(values['at-once']);
const files = inOrder(
  positionals.length > 0 ? positionals : globSync('test/integration/**/*.test.ts', { cwd: ROOT }),
);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}

const failed = await failedOf(files, atOnce);
const isAgain = atOnce > 1 && failed.length > 0 && !stop.signal.aborted;
const alone = isAgain ? failed.flatMap((file) => Array<string>(PASSES_ALONE).fill(file)) : [];
const failedAgain = isAgain ? [...new Set(await failedOf(alone, 1))] : failed;
const onlyBesideOthers = failed.filter((file) => !failedAgain.includes(file));
if (onlyBesideOthers.length > 0) {
  say(`⚠ failed beside others, passed ${PASSES_ALONE} × alone: ${onlyBesideOthers.join(' ')}`);
}
if (failedAgain.length > 0) say(`✖ failed: ${failedAgain.join(' ')}`);
process.exitCode = failedAgain.length > 0 || stop.signal.aborted ? 1 : 0;

function inOrder(names: readonly string[]): string[] {
  const places = new Map(LONGEST.map((name, place) => [`${name}.test.ts`, place]));
  const placeOf = (name: string): number =>
    places.get(name.slice(name.lastIndexOf('/') + 1)) ?? LONGEST.length;
  return names.toSorted((one, other) => placeOf(one) - placeOf(other) || (one < other ? -1 : 1));
}

/** The files in which a test failed, or which ended otherwise than they should. */
async function failedOf(names: readonly string[], concurrency: number): Promise<readonly string[]> {
  const bad: string[] = [];
  const counts = new Map<string, number>();
  const tookMs = new Map<string, number>();
  const events = new PassThrough({ objectMode: true });
  const report = events.compose<NodeJS.ReadWriteStream>(new spec());
  report.pipe(process.stdout, { end: false });
  const waiting = [...names];
  const startMs = performance.now();
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const beginMs = performance.now();
      if (!(await isWell(name, events, counts))) bad.push(name);
      tookMs.set(name, performance.now() - beginMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  events.end();
  await new Promise((resolve, reject) => {
    report.once('end', resolve);
    report.once('error', reject);
  });
  const told = [...counts].map(([what, count]) => `${count} ${what}`);
  const seconds = Math.round((performance.now() - startMs) / 1000);
  say(
    `ℹ ${names.length} ${names.length === 1 ? 'file' : 'files'} in ${seconds}s: ${told.join(', ')}`,
  );
  const slowest = [...tookMs].toSorted(([, one], [, other]) => other - one).slice(0, SLOWEST);
  const each = slowest.map(
    ([name, ms]) => `${basename(name, '.test.ts')} ${Math.round(ms / 1000)}s`,
  );
  say(`ℹ slowest: ${each.join(', ')}`);
  return bad;
}

/** Runs one file. A test is of the file that runs it, wherever it was written down. */
async function isWell(
  name: string,
  events: PassThrough,
  counts: Map<string, number>,
): Promise<boolean> {
  let isGood = true;
  let left: readonly ProcessEntry[] = [];
  const limit = new AbortController();
  const timer = setTimeout(() => {
    left = processesOf(name);
    limit.abort(new Error(`${name} was not done within ${FILE_MS_MAX / 1000} s`));
  }, FILE_MS_MAX);
  const tests = run({
    files: [join(ROOT, name)],
    concurrency: 1,
    cwd: ROOT,
    signal: AbortSignal.any([stop.signal, limit.signal]),
  });
  for await (const event of tests as AsyncIterable<TestEvent>) {
    if (event.type === 'test:fail') {
      isGood &&= event.data.todo !== undefined || event.data.skip !== undefined;
    }
    if (event.type === 'test:summary') {
      if (event.data.file !== undefined) continue;
      isGood &&= event.data.success;
      const { tests: all, passed, cancelled, skipped, todo } = event.data.counts;
      const wrong = all - passed - cancelled - skipped - todo;
      const told = { passed, failed: wrong, cancelled, skipped };
      for (const [what, count] of Object.entries(told)) {
        counts.set(what, (counts.get(what) ?? 0) + count);
      }
      continue;
    }
    // The totals of one file say little among those of sixty.
    const isTotal = event.type === 'test:diagnostic' && event.data.file === undefined;
    if (!isTotal) events.write(event);
  }
  clearTimeout(timer);
  for (const { pid } of left.filter(isStillTheSame)) process.kill(pid, 'SIGKILL');
  return isGood && !limit.signal.aborted;
}

/** What the file has started so far, which nobody stops when it is ended in the middle. */
function processesOf(name: string): readonly ProcessEntry[] {
  const test = descendants(process.pid).find(({ command }) => command.includes(join(ROOT, name)));
  return test === undefined ? [] : [test, ...descendants(test.pid)];
}

function isStillTheSame({ pid, command }: ProcessEntry): boolean {
  return listProcesses().some((entry) => entry.pid === pid && entry.command === command);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
