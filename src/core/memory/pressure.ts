/**
 * What a process does about its memory before its cap ends it: it holds fewer leases and reads less ahead,
 * in steps that halve, and takes them back one by one once there has been room for a while.
 *
 * level 0 --part >= lower--> 1 --> 2 --> 3 (an eighth of each, at least one) --part <= raise for long--> 2 …
 */
import { elapsedMs, type MonoMs } from '../base/units.ts';
import {
  PRESSURE_LEVEL_MAX,
  PRESSURE_LOWER_EVERY_MS,
  PRESSURE_LOWER_PART,
  PRESSURE_RAISE_AFTER_MS,
  PRESSURE_RAISE_PART,
} from './limits.ts';

export interface Pressure {
  /** How many times everything is halved. */
  readonly level: number;
  /** Of the cap, as last seen: of the process that is nearest to its own. */
  readonly part: number;
  /** When the level changed last, or there was no room for raising it again; null before the first time. */
  readonly heldMs: MonoMs | null;
}

export const NO_PRESSURE: Pressure = { level: 0, part: 0, heldMs: null };

export function stepPressure(before: Pressure, part: number, nowMs: MonoMs): Pressure {
  const { level, heldMs } = before;
  const forMs = heldMs === null ? Infinity : elapsedMs(heldMs, nowMs);
  if (part >= PRESSURE_LOWER_PART) {
    // What was lowered takes a while to show.
    const isDue = level === 0 || forMs >= PRESSURE_LOWER_EVERY_MS;
    if (level === PRESSURE_LEVEL_MAX || !isDue) return { ...before, part };
    return { level: level + 1, part, heldMs: nowMs };
  }
  if (level === 0) return { ...before, part };
  if (part > PRESSURE_RAISE_PART) return { level, part, heldMs: nowMs };
  if (forMs < PRESSURE_RAISE_AFTER_MS) return { ...before, part };
  return { level: level - 1, part, heldMs: nowMs };
}

/** Until a step is taken back, should there be room from now on; 0 where none was taken. */
export function raisedInMs({ level, heldMs }: Pressure, nowMs: MonoMs): number {
  if (level === 0 || heldMs === null) return 0;
  return Math.max(0, PRESSURE_RAISE_AFTER_MS - elapsedMs(heldMs, nowMs));
}

export interface Ahead {
  readonly want: number;
  readonly prefetchBatches: number;
  readonly maxQueueBatches: number;
}

/** The caps at that level: never more than before, never less than one. */
export function eased<K extends Ahead>(caps: K, level: number): K {
  const less = (value: number): number => Math.max(1, Math.floor(value / 2 ** level));
  return {
    ...caps,
    want: less(caps.want),
    prefetchBatches: less(caps.prefetchBatches),
    maxQueueBatches: less(caps.maxQueueBatches),
  };
}
