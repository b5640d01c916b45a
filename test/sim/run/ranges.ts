/** Splits a run of seeds over the machine's cores, and puts what came of it together. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Coverage } from '../world/coverage.ts';
import type { Played } from './play-seeds.ts';

export interface Warm {
  played: number;
  cpuMs: number;
}

export interface Report {
  played: number;
  events: number;
  entries: number;
  /** Of everything that happened in all of them. */
  digest: number;
  /** Processor time, of all processes together. */
  cpuMs: number;
  /** Those that began when most of their job was done. */
  midway: number;
  /** Of each process but its first worlds. */
  readonly warm: Warm;
  readonly coverage: Coverage;
  readonly failed: Played[];
}

/**
 * Seeds that one process plays before the next takes over: the first few hundred cost twice as much as the
 * rest, until the code is warm.
 */
const CHUNK = 10_000;

/** A world is small, and all of it is garbage at its end: it should not outlive the young generation. */
const FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--min-semi-space-size=64',
  '--max-semi-space-size=128',
];

type Line =
  | { readonly failed: Played }
  | {
      readonly summary: {
        readonly played: number;
        readonly events: number;
        readonly entries: number;
        readonly digest: number;
        readonly cpuMs: number;
        readonly midway: number;
        readonly warm: Readonly<Warm>;
        readonly struck: readonly number[];
        readonly total: readonly number[];
      };
    };

export async function playRanges(
  from: number,
  count: number,
  processes: number,
  onFailed: (played: Played) => void,
  /** The Node to play them on. */
  node: string = process.execPath,
): Promise<Report> {
  const report: Report = {
    played: 0,
    events: 0,
    entries: 0,
    digest: 0,
    cpuMs: 0,
    midway: 0,
    warm: { played: 0, cpuMs: 0 },
    coverage: new Coverage(),
    failed: [],
  };
  let next = from;
  const end = from + count;
  const chunk = Math.max(1, Math.min(CHUNK, Math.ceil(count / processes)));
  const work = async (): Promise<void> => {
    while (next < end) {
      const start = next;
      next = Math.min(end, start + chunk);
      await playRange(node, start, next - start, (line) => {
        if ('summary' in line) add(report, line.summary);
        else {
          report.failed.push(line.failed);
          onFailed(line.failed);
        }
      });
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  report.failed.sort((a, b) => a.seed - b.seed);
  return report;
}

function add(report: Report, summary: Extract<Line, { summary: unknown }>['summary']): void {
  report.played += summary.played;
  report.events += summary.events;
  report.entries += summary.entries;
  report.digest = (report.digest + summary.digest) >>> 0;
  report.cpuMs += summary.cpuMs;
  report.midway += summary.midway;
  report.warm.played += summary.warm.played;
  report.warm.cpuMs += summary.warm.cpuMs;
  report.coverage.add(summary);
}

function playRange(
  node: string,
  from: number,
  count: number,
  onLine: (line: Line) => void,
): Promise<void> {
  const script = fileURLToPath(new URL('./play-range.ts', import.meta.url));
  const args = [...FLAGS, script, String(from), String(count)];
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', (line) => onLine(JSON.parse(line) as Line));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new Error(`seeds ${from} to ${from + count - 1} ended with status ${String(code)}`));
    });
  });
}
