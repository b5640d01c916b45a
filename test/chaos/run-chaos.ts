/** One run of chaos: a cluster, a plan of faults, and the check of what came of it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkOutput } from '../support/check-output.ts';
import { checkHistory } from './check-history.ts';
import { checkSqliteLog } from './check-sqlite-log.ts';
import type { Child } from './child.ts';
import { Cluster, LEASE_TTL_MS } from './cluster.ts';
import { type HistoryItem, machineMs } from './history.ts';
import { Injector } from './inject.ts';
import {
  CLOCK_FAULTS,
  type FaultKind,
  makePlan,
  NETWORK_FAULTS,
  PROCESS_FAULTS,
  STORE_FAULTS,
  STORE_NETWORK_FAULTS,
} from './plan.ts';
import type { StateKind } from './store.ts';
import type { Tools } from './tools.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly spanMs: number;
  readonly state: StateKind;
  readonly samples: number;
  readonly coordinators: number;
  readonly tools: Tools;
}

export interface ChaosResult {
  /** What is wrong; nothing when all is well. */
  readonly wrong: readonly string[];
  readonly history: readonly HistoryItem[];
}

/** Once faults are over work must go on: a commit at least this often until all is done. */
const STILL_MS_MAX = 30_000;

const START_MS_MAX = 120_000;

const LINES_SHOWN = 60;

/** That of the agents, and one for each protocol. */
const JOBS = 3;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  await using cluster = await Cluster.create(options);
  cluster.start();
  await untilWorking(cluster);
  const injector = new Injector(cluster);
  await injector.run(makePlan(options.seed, options.spanMs, faultKinds(options)));
  injector.heal();
  cluster.setPace(0);
  const wrong = await finished(cluster);
  wrong.push(...(await finalState(cluster)));
  cluster.observer.signal('SIGTERM', 'the run is over');
  for (const child of cluster.coordinators) child.signal('SIGTERM', 'the run is over');
  await Promise.all(cluster.coordinators.map((child) => within(child.ended, 10_000)));
  wrong.push(
    ...checkHistory(cluster.history, { callMsMax: LEASE_TTL_MS * 3 }),
    ...wrongOutput(cluster),
    ...(cluster.logPath === null ? [] : checkSqliteLog(cluster.logPath)),
  );
  return { wrong, history: cluster.history };
}

export function faultKinds({ state, tools }: ChaosOptions): readonly FaultKind[] {
  const isRemote = state !== 'sqlite';
  const processes = PROCESS_FAULTS.filter(
    (kind) => !isRemote || kind !== 'pause-leader-in-mid-write',
  );
  return [
    ...processes,
    ...(isRemote ? STORE_FAULTS : []),
    ...(tools.hasNetwork ? NETWORK_FAULTS : []),
    ...(tools.hasNetwork && isRemote ? STORE_NETWORK_FAULTS : []),
    ...CLOCK_FAULTS,
  ];
}

/** Waits until every coordinator serves and every job has begun: faults are for a cluster at work. */
async function untilWorking({ history, coordinators }: Cluster): Promise<void> {
  const untilMs = machineMs() + START_MS_MAX;
  while (machineMs() < untilMs) {
    const events = history.filter((item) => item.kind === 'event');
    const serving = events.filter(({ event }) => event === 'coordinator_serving').length;
    const jobs = new Set(
      events.filter(({ event }) => event === 'lease_granted').map(({ fields }) => fields['job_id']),
    );
    if (serving >= coordinators.length && jobs.size >= JOBS) return;
    await sleep(100);
  }
  throw new Error(`the cluster was not at work within ${START_MS_MAX} ms:\n${lastLines(history)}`);
}

/** What was said and who ended last, for whoever has to find out why. */
function lastLines(history: readonly HistoryItem[]): string {
  const told = history.filter(({ kind }) => kind === 'event' || kind === 'exit');
  return told
    .slice(-LINES_SHOWN)
    .map((item) => JSON.stringify(item))
    .join('\n');
}

/** Waits until agents and clients have done their work, for as long as there is progress. */
async function finished(cluster: Cluster): Promise<string[]> {
  const workers = [...cluster.agents, ...cluster.clients];
  let movedMs = machineMs();
  let seen = 0;
  while (workers.some((child) => child.isRunning)) {
    const commits = cluster.history.filter(isProgress).length;
    if (commits > seen) movedMs = machineMs();
    seen = commits;
    if (machineMs() - movedMs > STILL_MS_MAX) break;
    await sleep(200);
  }
  const late = workers.filter((child) => child.isRunning);
  for (const child of late) child.signal('SIGKILL', 'it was not done');
  return late.map(({ name }) => `${name} was not done, and nothing moved for ${STILL_MS_MAX} ms`);
}

function isProgress(item: HistoryItem): boolean {
  if (item.kind === 'event') return item.event === 'output_committed';
  return item.kind === 'call' && item.call === 'ReportProgress' && item.outcome === 'ok';
}

async function finalState(cluster: Cluster): Promise<string[]> {
  const reader: Child = cluster.finalReader();
  reader.start();
  const code = await within(reader.ended, 60_000);
  // What it wrote may still be on its way through the pipe.
  await sleep(200);
  return code === 0 ? [] : ['the final state of the jobs could not be read'];
}

function wrongOutput({ manifests, out }: Cluster): string[] {
  const [hash = ''] = readdirSync(manifests);
  const { inputs, rows, missing, repeated, foreign, altered } = checkOutput(
    join(manifests, hash),
    out,
  );
  const wrong = Object.entries({ missing, repeated, foreign, altered })
    .filter(([, ids]) => ids.length > 0)
    .map(
      ([what, ids]) => `${ids.length} samples ${what} in the output: ${ids.slice(0, 5).join(', ')}`,
    );
  return rows === inputs ? wrong : [...wrong, `the output has ${rows} rows of ${inputs} inputs`];
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const ended = new AbortController();
  const late = sleep(ms, null, { signal: ended.signal }).catch(() => null);
  try {
    return await Promise.race([promise, late]);
  } finally {
    ended.abort();
  }
}
