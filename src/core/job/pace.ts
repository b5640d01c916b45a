/**
 * How fast a node gets on, as the coordinator sees it: samples over the time in which it held work, from
 * its last few moves. A move is what a report or a commit added, so a node that works in large batches is
 * judged over as many of them as one that works in small ones. Volatile: relearnt after a restart.
 */
import { elapsedMs, type MonoMs } from '../base/units.ts';

/** Moves that count: enough to even out batches, few enough to see a node become slow. */
const MOVES_MAX = 8;

interface Move {
  /** Time at work when it was seen. */
  readonly atMs: number;
  readonly samples: number;
}

export class Pace {
  /** Time at work up to `#sinceMs`. */
  #workedMs = 0;
  /** Since when it holds work without a break; null while it holds none. */
  #sinceMs: MonoMs | null = null;
  /** Time at work when the oldest of the moves began. */
  #fromMs = 0;
  readonly #moves: Move[] = [];
  #movedSamples = 0;
  #lastMoveMs: MonoMs | null = null;

  /** Whether it holds work from now on. */
  note(holdsWork: boolean, nowMs: MonoMs): void {
    if (holdsWork === (this.#sinceMs !== null)) return;
    this.#workedMs = this.workedMs(nowMs);
    this.#sinceMs = holdsWork ? nowMs : null;
  }

  moved(samples: number, nowMs: MonoMs): void {
    if (samples <= 0) return;
    this.#movedSamples += samples;
    this.#lastMoveMs = nowMs;
    this.#moves.push({ atMs: this.workedMs(nowMs), samples });
    if (this.#moves.length > MOVES_MAX) this.#fromMs = this.#moves.shift()?.atMs ?? 0;
  }

  /** When it got on last; null before its first move. */
  get lastMoveMs(): MonoMs | null {
    return this.#lastMoveMs;
  }

  /** Samples of all its moves. */
  get movedSamples(): number {
    return this.#movedSamples;
  }

  /** Time in which it held work, in all. */
  workedMs(nowMs: MonoMs): number {
    return this.#workedMs + (this.#sinceMs === null ? 0 : elapsedMs(this.#sinceMs, nowMs));
  }

  /** Null before its first move. The time since the last one counts: who stands still gets slower. */
  samplesPerMs(nowMs: MonoMs): number | null {
    if (this.#moves.length === 0) return null;
    let samples = 0;
    for (const move of this.#moves) samples += move.samples;
    return samples / Math.max(1, this.workedMs(nowMs) - this.#fromMs);
  }

  /** The most samples of one move: about as much as it may have in hand unseen; 0 before the first. */
  get largestMove(): number {
    let most = 0;
    for (const move of this.#moves) most = Math.max(most, move.samples);
    return most;
  }
}
