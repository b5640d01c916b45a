/**
 * What a screen shows of a job, worked out from one snapshot and what was seen before it. Pure: the
 * caller asks the coordinator, reads its own monotonic clock and keeps the history between calls.
 */
import type { JobSnapshot } from '../core/job/protocol.ts';
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';
import { judgeHealth } from './health.ts';
import type { Health } from './health.ts';
import { leaseFigures, leaseLooks, nodeLooks } from './looks.ts';
import type { LeaseFigures, LeaseLook, NodeLook, ViewLimits } from './looks.ts';
import { NO_PROGRESS, progressAt, stillMs } from './progress.ts';
import type { Progress, ProgressHistory } from './progress.ts';

/** What has to be remembered between two looks at a job. */
export interface ViewHistory {
  readonly progress: ProgressHistory;
  /** By lease id: where it stood, and since when. */
  readonly leases: ReadonlyMap<string, LeaseMark>;
}

interface LeaseMark {
  readonly cursor: number;
  readonly deliveredCursor: number;
  readonly sinceMs: MonoMs;
}

export interface JobView extends Progress {
  readonly health: Health;
  readonly nodes: readonly NodeLook[];
  /** Those that the snapshot lists. */
  readonly leases: readonly LeaseLook[];
  /** All of them. */
  readonly leaseFigures: LeaseFigures;
}

export const EMPTY_HISTORY: ViewHistory = { progress: NO_PROGRESS, leases: new Map() };

/** The view at `nowMs`, and the history to pass to the next look. */
export function lookAt(
  snapshot: JobSnapshot,
  nowMs: MonoMs,
  history: ViewHistory,
  limits: ViewLimits,
): { readonly view: JobView; readonly history: ViewHistory } {
  const { progress, history: moved, isAnotherJob } = progressAt(snapshot, nowMs, history.progress);
  const marks = marksOf(snapshot, nowMs, isAnotherJob ? EMPTY_HISTORY : history);
  const leases = leaseLooks(snapshot, limits, (id) =>
    elapsedMs(marks.get(id)?.sinceMs ?? nowMs, nowMs),
  );
  const figures = leaseFigures(leases, snapshot.leases);
  const nodes = nodeLooks(snapshot, limits);
  const health = judgeHealth({
    snapshot,
    nodes,
    leases: figures,
    stillMs: stillMs(moved, nowMs),
    limits,
  });
  return {
    view: { ...progress, health, nodes, leases, leaseFigures: figures },
    history: { progress: moved, leases: marks },
  };
}

function marksOf(
  snapshot: JobSnapshot,
  nowMs: MonoMs,
  history: ViewHistory,
): ViewHistory['leases'] {
  return new Map(
    snapshot.liveLeases.map((lease) => [
      lease.leaseId,
      markOf(lease, nowMs, history.leases.get(lease.leaseId)),
    ]),
  );
}

function markOf(
  lease: { readonly cursor: number; readonly deliveredCursor: number },
  nowMs: MonoMs,
  before: LeaseMark | undefined,
): LeaseMark {
  const isStill =
    before?.cursor === lease.cursor && before.deliveredCursor === lease.deliveredCursor;
  return {
    cursor: lease.cursor,
    deliveredCursor: lease.deliveredCursor,
    sinceMs: isStill ? before.sinceMs : nowMs,
  };
}
