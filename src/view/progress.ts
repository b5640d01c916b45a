/** How far a job is and how fast it gets on, from what was seen of it at different times. Pure. */
import type { JobFigures, JobPhase } from '../core/job/protocol.ts';
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';

/** What has to be remembered between two looks. */
export interface ProgressHistory {
  /** Oldest first; spans at most the rate window. */
  readonly points: readonly ProgressPoint[];
  /** When the count of finished samples last grew. */
  readonly movedAtMs: MonoMs | null;
}

interface ProgressPoint {
  readonly atMs: MonoMs;
  readonly samples: number;
  readonly rows: number;
  readonly bytes: number;
}

export interface Rates {
  readonly samplesPerSecond: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface Progress {
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
}

/** Rates are averages over this much of the past: long enough not to flicker, short enough to follow. */
const RATE_WINDOW_MS = 10_000;

export const NO_PROGRESS: ProgressHistory = { points: [], movedAtMs: null };

export interface ProgressLook {
  readonly progress: Progress;
  readonly history: ProgressHistory;
  /** Counts went back: this is another job of the same id, and what was seen before means nothing. */
  readonly isAnotherJob: boolean;
}

export function progressAt(
  figures: JobFigures,
  nowMs: MonoMs,
  history: ProgressHistory,
): ProgressLook {
  const { committed, quarantined, leased } = figures.samples;
  const finished = committed + quarantined;
  const last = history.points.at(-1);
  const isAnotherJob = last !== undefined && last.samples > finished;
  const before = isAnotherJob ? NO_PROGRESS : history;
  const hasMoved = last === undefined || isAnotherJob || finished > last.samples;
  const { rows, bytes } = figures.output;
  const points = [
    ...trimmedPoints(before.points, nowMs),
    { atMs: nowMs, samples: finished, rows, bytes },
  ];
  const rates = ratesOf(points);
  const total = figures.spec.sampleCount;
  return {
    progress: {
      phase: figures.phase,
      totalSamples: total,
      finishedSamples: finished,
      quarantinedSamples: quarantined,
      leasedSamples: leased,
      fraction: total === 0 ? 1 : finished / total,
      rates,
      // While an operator holds it, no rate of the past says when it ends.
      etaMs: figures.paused ? null : etaOf(total - finished, rates),
    },
    history: { points, movedAtMs: hasMoved ? nowMs : before.movedAtMs },
    isAnotherJob,
  };
}

/** How long no further sample has been finished, as far as somebody watched. */
export function stillMs(history: ProgressHistory, nowMs: MonoMs): number {
  return history.movedAtMs === null ? 0 : elapsedMs(history.movedAtMs, nowMs);
}

/** Points inside the window; the latest one where all are older, so that there is a rate at all. */
function trimmedPoints(points: readonly ProgressPoint[], nowMs: MonoMs): readonly ProgressPoint[] {
  const firstInside = points.findIndex((point) => elapsedMs(point.atMs, nowMs) <= RATE_WINDOW_MS);
  return points.slice(firstInside);
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
