/**
 * Runs the files of `test/integration`, or those that are named, several at a time: most of what they do is
 * to wait for leases, clocks and other processes. What failed beside another is run once more by itself: a
 * machine that was too busy for it is no fault of the product, but it is told, so that nobody gets used to it.
 */
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const FILE_TIMEOUT_MS = 600_000;
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
const failedAgain = isAgain ? await failedOf(failed, 1) : failed;
const onlyBesideOthers = failed.filter((file) => !failedAgain.includes(file));
if (onlyBesideOthers.length > 0) {
  say(`⚠ failed beside others and passed alone: ${onlyBesideOthers.join(' ')}`);
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
  const bad = new Set<string>();
  let failures = 0;
  const tests = run({
    files: names.map((name) => join(ROOT, name)),
    concurrency,
    timeout: FILE_TIMEOUT_MS,
    cwd: ROOT,
    signal: stop.signal,
  });
  tests.on('test:fail', ({ file, name, todo, skip }) => {
    if (todo !== undefined || skip !== undefined) return;
    failures += 1;
    bad.add(relative(ROOT, file ?? name));
  });
  const report = tests.compose<NodeJS.ReadWriteStream>(new spec());
  report.pipe(process.stdout, { end: false });
  await new Promise((resolve, reject) => {
    report.once('end', resolve);
    report.once('error', reject);
  });
  const known = names.filter((name) => bad.has(name));
  // A failure that cannot be told to a file is of all of them.
  return failures > 0 && known.length === 0 ? names : known;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
