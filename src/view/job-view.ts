/**
 * What a screen shows of a job, worked out from one snapshot and what was seen before it. Pure: the
 * caller asks the coordinator, reads its own monotonic clock and keeps the history between calls.
 */
import type { JobPhase, JobSnapshot } from '../core/job/protocol.ts';
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';
import { judgeHealth } from './health.ts';
import type { Health } from './health.ts';
import { leaseLooks, nodeLooks } from './looks.ts';
import type { LeaseLook, NodeLook, ViewLimits } from './looks.ts';

/** What has to be remembered between two looks at a job. */
export interface ViewHistory {
  /** Oldest first; spans at most the rate window. */
  readonly points: readonly ProgressPoint[];
  /** By lease id: where it stood, and since when. */
  readonly leases: ReadonlyMap<string, LeaseMark>;
  /** When the count of finished samples last grew. */
  readonly movedAtMs: MonoMs | null;
}

interface ProgressPoint {
  readonly atMs: MonoMs;
  readonly samples: number;
  readonly rows: number;
  readonly bytes: number;
}

interface LeaseMark {
  readonly cursor: number;
  readonly deliveredCursor: number;
  readonly sinceMs: MonoMs;
}

export interface Rates {
  readonly samplesPerSecond: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface JobView {
  readonly phase: JobPhase;
  readonly totalSamples: number;
  /** Committed and quarantined: what will not be done again. */
  readonly finishedSamples: number;
  readonly quarantinedSamples: number;
  readonly leasedSamples: number;
  /** 0 to 1. */
  readonly fraction: number;
  /** Null until two looks at different times allow it. */
  readonly rates: Rates | null;
  /** Time to the end at that rate; null where it cannot be told. */
  readonly etaMs: number | null;
  readonly health: Health;
  readonly nodes: readonly NodeLook[];
  readonly leases: readonly LeaseLook[];
}

/** Rates are averages over this much of the past: long enough not to flicker, short enough to follow. */
const RATE_WINDOW_MS = 10_000;

export const EMPTY_HISTORY: ViewHistory = { points: [], leases: new Map(), movedAtMs: null };

/** The view at `nowMs`, and the history to pass to the next look. */
export function lookAt(
  snapshot: JobSnapshot,
  nowMs: MonoMs,
  history: ViewHistory,
  limits: ViewLimits,
): { readonly view: JobView; readonly history: ViewHistory } {
  const next = remember(snapshot, nowMs, history);
  const watchedMs = (id: string): number => elapsedMs(next.leases.get(id)?.sinceMs ?? nowMs, nowMs);
  const leases = leaseLooks(snapshot, limits, watchedMs);
  const nodes = nodeLooks(snapshot, limits);
  const rates = ratesOf(next.points);
  const { committed, quarantined, leased } = snapshot.samples;
  const finished = committed + quarantined;
  const total = snapshot.spec.sampleCount;
  const stillMs = next.movedAtMs === null ? 0 : elapsedMs(next.movedAtMs, nowMs);
  const view: JobView = {
    phase: snapshot.phase,
    totalSamples: total,
    finishedSamples: finished,
    quarantinedSamples: quarantined,
    leasedSamples: leased,
    fraction: total === 0 ? 1 : finished / total,
    rates,
    etaMs: etaOf(total - finished, rates),
    health: judgeHealth({ snapshot, nodes, leases, stillMs, limits }),
    nodes,
    leases,
  };
  return { view, history: next };
}

function remember(snapshot: JobSnapshot, nowMs: MonoMs, history: ViewHistory): ViewHistory {
  const { committed, quarantined } = snapshot.samples;
  const point: ProgressPoint = {
    atMs: nowMs,
    samples: committed + quarantined,
    rows: snapshot.output.rows,
    bytes: snapshot.output.bytes,
  };
  const last = history.points.at(-1);
  // Counts that went back belong to another job of the same id: what was seen before means nothing.
  const before = last !== undefined && last.samples > point.samples ? EMPTY_HISTORY : history;
  const hasMoved = last === undefined || before === EMPTY_HISTORY || point.samples > last.samples;
  return {
    points: [...trimmedPoints(before.points, nowMs), point],
    leases: new Map(
      snapshot.liveLeases.map((lease) => [
        lease.leaseId,
        markOf(lease, nowMs, before.leases.get(lease.leaseId)),
      ]),
    ),
    movedAtMs: hasMoved ? nowMs : before.movedAtMs,
  };
}

/** Points inside the window; the latest one where all are older, so that there is a rate at all. */
function trimmedPoints(points: readonly ProgressPoint[], nowMs: MonoMs): readonly ProgressPoint[] {
  const firstInside = points.findIndex((point) => elapsedMs(point.atMs, nowMs) <= RATE_WINDOW_MS);
  return points.slice(firstInside);
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

function ratesOf(points: readonly ProgressPoint[]): Rates | null {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const seconds = elapsedMs(first.atMs, last.atMs) / 1000;
  if (seconds <= 0) return null;
  return {
    samplesPerSecond: (last.samples - first.samples) / seconds,
    rowsPerSecond: Math.max(0, last.rows - first.rows) / seconds,
    bytesPerSecond: Math.max(0, last.bytes - first.bytes) / seconds,
  };
}

function etaOf(leftSamples: number, rates: Rates | null): number | null {
  if (leftSamples === 0) return 0;
  if (rates === null || rates.samplesPerSecond <= 0) return null;
  return (leftSamples / rates.samplesPerSecond) * 1000;
}
