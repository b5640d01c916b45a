/**
 * The same judgement as `job-view.ts`, from a digest that the coordinator makes of its own state: the
 * ages of leases are its own and exact, and nothing here grows with their number. Pure.
 */
import type { JobDigest } from '../core/job/coordinator.ts';
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';
import { judgeHealth } from './health.ts';
import type { Health } from './health.ts';
import type { ViewLimits } from './looks.ts';
import { NO_PROGRESS, progressAt, stillMs } from './progress.ts';
import type { Progress, ProgressHistory } from './progress.ts';

export interface DigestHistory {
  readonly progress: ProgressHistory;
  /** Oldest first. */
  readonly rates: readonly RatePoint[];
}

export interface RatePoint {
  readonly atMs: MonoMs;
  readonly samplesPerSecond: number;
}

export interface DigestView extends Progress {
  readonly health: Health;
  readonly staleNodes: number;
  /** As in the history, this look included. */
  readonly rateHistory: readonly RatePoint[];
}

export const NO_DIGESTS: DigestHistory = { progress: NO_PROGRESS, rates: [] };

/** How far a chart of the rate goes back, and how close its points stand. */
export const RATE_HISTORY_MS = 600_000;
const RATE_POINT_SPACING_MS = 2000;

export function lookAtDigest(
  digest: JobDigest,
  nowMs: MonoMs,
  history: DigestHistory,
  limits: ViewLimits,
): { readonly view: DigestView; readonly history: DigestHistory } {
  const { progress, history: moved } = progressAt(digest, nowMs, history.progress);
  const nodes = digest.nodes.map((node) => ({
    ...node,
    isStale: node.heartbeatAgeMs >= limits.staleHeartbeatMs,
  }));
  const { count, stalledCount, leastStillMs, stalled } = digest.leases;
  const health = judgeHealth({
    snapshot: digest,
    nodes,
    leases: { count, stalledCount, leastStillMs, firstStalled: stalled[0] ?? null },
    stillMs: stillMs(moved, nowMs),
    limits,
  });
  const rateHistory = ratesWith(history.rates, progress, nowMs);
  return {
    view: {
      ...progress,
      health,
      staleNodes: nodes.filter((node) => node.isStale).length,
      rateHistory,
    },
    history: { progress: moved, rates: rateHistory },
  };
}

function ratesWith(
  before: readonly RatePoint[],
  { rates }: Progress,
  nowMs: MonoMs,
): readonly RatePoint[] {
  const last = before.at(-1);
  const isClose = last !== undefined && elapsedMs(last.atMs, nowMs) < RATE_POINT_SPACING_MS;
  if (rates === null || isClose) return before;
  const kept = before.filter(({ atMs }) => elapsedMs(atMs, nowMs) <= RATE_HISTORY_MS);
  return [...kept, { atMs: nowMs, samplesPerSecond: rates.samplesPerSecond }];
}
