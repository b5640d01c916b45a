/**
 * The same judgement as `job-view.ts`, from a digest that the coordinator makes of its own state: the
 * ages of leases are its own and exact, and nothing here grows with their number. Pure.
 */
import type { JobDigest } from '../core/job/coordinator.ts';
import type { MonoMs } from '../core/base/units.ts';
import { judgeHealth } from './health.ts';
import type { Health } from './health.ts';
import type { ViewLimits } from './looks.ts';
import { NO_PROGRESS, progressAt, stillMs } from './progress.ts';
import type { Progress, ProgressHistory } from './progress.ts';

export interface DigestHistory {
  readonly progress: ProgressHistory;
  /** Samples a second at the last looks, oldest first; null where none could be told. */
  readonly rates: readonly (number | null)[];
}

export interface DigestView extends Progress {
  readonly health: Health;
  readonly staleNodes: number;
  /** As in the history, this look included. */
  readonly rateHistory: readonly (number | null)[];
}

export const NO_DIGESTS: DigestHistory = { progress: NO_PROGRESS, rates: [] };

/** Looks that a chart of the rate goes back: two minutes at one a second. */
export const RATE_LOOKS_MAX = 120;

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
  const rate = progress.rates?.samplesPerSecond ?? null;
  const rateHistory = [...history.rates, rate].slice(-RATE_LOOKS_MAX);
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
