import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';

/** A collection takes 5 to 50 ms; a consumer that holds batches on purpose is not slowed by them. */
const COLLECT_INTERVAL_MS = 1_000;

/**
 * Makes a function that collects garbage, at most once a second. Only for the one case in which
 * waiting for V8 to do it by itself could wait for ever: nothing is allocated because all memory that
 * may be used is held by batches that nobody refers to any more.
 */
export function garbageCollection(clock: Clock): () => void {
  let lastMs: MonoMs | null = null;
  return () => {
    const now = clock.nowMs();
    if (lastMs !== null && elapsedMs(lastMs, now) < COLLECT_INTERVAL_MS) return;
    lastMs = now;
    collect();
  };
}

function collect(): void {
  // The flag shows `gc` to contexts made after it; the process's own globals stay as they are.
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') Reflect.apply(gc, undefined, []);
}
