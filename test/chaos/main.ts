/**
 * Faults on real processes, and a check of what came of it:
 *
 *     npm run chaos -- --minutes 10 [--seed 7] [--state sqlite|etcd|etcd3] [--coordinators 3] [--json]
 *
 * The plan is drawn from the seed, so that a run can be repeated, though not its timing. Ends with 1 when
 * anything is wrong; the history of such a run is kept and its path is printed.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolArguments } from '../support/tool-arguments.ts';
import type { HistoryItem } from './history.ts';
import { figuresOf, figuresText } from './report.ts';
import { faultKinds, runChaos } from './run-chaos.ts';
import { STATE_KINDS, type StateKind } from './store.ts';
import { findTools } from './tools.ts';

const SAMPLES_PER_MINUTE = 3000;
const SAMPLES_MAX = 30_000;

const USAGE = `Usage: npm run chaos -- [--minutes M] [--seed S] [--state ${STATE_KINDS.join('|')}] [--coordinators N] [--keep] [--json]`;

const values = toolArguments(USAGE, {
  minutes: { type: 'string', default: '1' },
  seed: { type: 'string' },
  state: { type: 'string', default: 'sqlite' },
  coordinators: { type: 'string', default: '3' },
  json: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
});

const minutes = number('minutes', values.minutes, 0.2, 24 * 60);
const seed = number('seed', values.seed ?? String(Math.floor(Math.random() * 1e9)), 0, 2 ** 32 - 1);
const coordinators = number('coordinators', values.coordinators, 2, 9);
const state = STATE_KINDS.find((kind): kind is StateKind => kind === values.state);
if (state === undefined) usage(`--state takes ${STATE_KINDS.join(', ')}, not ${values.state}`);

const tools = findTools();
const samples = Math.min(SAMPLES_MAX, Math.round(minutes * SAMPLES_PER_MINUTE));
const options = { seed, spanMs: minutes * 60_000, state, samples, coordinators, tools };
const again = `npm run chaos -- --minutes ${minutes} --seed ${seed} --state ${state} --coordinators ${coordinators}`;
say(`${again}\n${tools.missing.map((line) => `skipped: ${line}\n`).join('')}`);
say(`kinds of faults: ${faultKinds(options).length}\n`);
const { wrong, history } = await runChaos(options);
const figures = figuresOf(history);
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ seed, state, minutes, missing: tools.missing, ...figures, wrong })}\n`,
  );
} else {
  process.stdout.write(figuresText(figures));
  for (const line of wrong) process.stdout.write(`WRONG  ${line}\n`);
  process.stdout.write(
    wrong.length === 0 ? 'nothing lost, nothing twice\n' : `${wrong.length} wrong\n`,
  );
}
if (wrong.length > 0 || values.keep) say(`the history is in ${kept(history)}; again: ${again}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;

function kept(items: readonly HistoryItem[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'mx8-chaos-history-')), 'history.jsonl');
  writeFileSync(path, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  return path;
}

function number(name: string, given: string, low: number, high: number): number {
  const value = Number(given);
  if (given === '' || !(value >= low && value <= high)) {
    usage(`--${name} takes a number from ${low} to ${high}, not ${given}`);
  }
  return value;
}

function say(text: string): void {
  process.stderr.write(text);
}

function usage(message: string): never {
  say(`${message}\n`);
  process.exit(2);
}
