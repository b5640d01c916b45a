/**
 * `npm start`: tokenises and deduplicates the text documents that the installation brought, on two
 * nodes of this machine, then reads the committed output and reports.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { inspectOutput } from 'mx8/job';

import { devManifest, listDocuments } from './documents.ts';
import { readOutput, reportText } from './report.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'build/corpus');
const manifest = join(folder, 'documents.tsv');
const out = join(folder, 'out');

process.exitCode = await main();

async function main(): Promise<number> {
  const documents = listDocuments(join(root, 'node_modules'));
  const megabytes = documents.reduce((sum, document) => sum + document.bytes, 0) / 1e6;
  say(`${documents.length} text documents below node_modules, ${megabytes.toFixed(1)} MB`);
  const isResumed = await prepare(devManifest(documents));
  const words = [
    ...['run', 'examples/corpus/tokenize.job.ts', '--data', `${fromRoot(manifest)}@refresh`],
    ...['--out', fromRoot(out), '--manifest-store', fromRoot(join(folder, 'manifests'))],
    ...['--nodes', '2', '--ram-gb', '2', ...(isResumed ? ['--resume'] : [])],
  ];
  say(`npx mx8 ${words.join(' ')}\n`);
  const code = await runMx8(words);
  if (code !== 0) return code;
  say(`\n${reportText(await readOutput(out))}`);
  say(
    `The rows are in ${fromRoot(out)}; one is a line of JSON, see examples/corpus/tokenize.job.ts.`,
  );
  return 0;
}

/**
 * Writes the list of documents. Goes on with an output that was begun on the same list (true), and
 * makes room for a new one where it is finished or of another list.
 */
async function prepare(list: string): Promise<boolean> {
  const isSameList = existsSync(manifest) && readFileSync(manifest, 'utf8') === list;
  const state = await inspectOutput(out);
  if (state.type === 'job' && state.outputManifestHash === null && isSameList) return true;
  rmSync(out, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(manifest, list);
  return false;
}

/** Runs the command line from the root of the checkout; its exit code, or 1 when it died. */
function runMx8(words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(root, 'bin/mx8.js'), ...words], {
    cwd: root,
    stdio: 'inherit',
    env: { ...quietLog(), ...process.env },
  });
  // A terminal sends Ctrl-C to both of us; the run stops cleanly and we report how it ended.
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', passOn);
  process.on('SIGTERM', passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** On a terminal there is a progress bar; elsewhere sentences say enough unless more is asked for. */
function quietLog(): Readonly<Record<string, string>> {
  return process.stderr.isTTY ? {} : { MX8_LOG: 'warn' };
}

function fromRoot(path: string): string {
  return relative(root, path);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
