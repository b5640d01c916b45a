import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';

/** Most stalls end by themselves, with a batch that is released a moment later. */
const STALL_GRACE_MS = 10;
/** A collection takes 5 to 50 ms; one that forgets every batch is slowed by no more than a third. */
const COLLECT_INTERVAL_MIN_MS = 100;
/** Where collecting finds nothing, because the batches are held on purpose, it becomes rare. */
const COLLECT_INTERVAL_MAX_MS = 10_000;

/**
 * For the one case in which waiting for V8 to collect by itself could wait for ever: nothing is
 * allocated, because all memory that may be used is held by batches that nobody refers to any more.
 * The answer is called when such a stall begins, and what it returns when the stall is over; in
 * between garbage is collected, at growing intervals, and `lookAgain` called.
 */
export function collectionWhileStalled(clock: Clock): (lookAgain: () => void) => () => void {
  let lastMs: MonoMs | null = null;
  return (lookAgain) => {
    let intervalMs = COLLECT_INTERVAL_MIN_MS;
    const collectAndGoOn = (): void => {
      collect();
      lastMs = clock.nowMs();
      intervalMs = Math.min(COLLECT_INTERVAL_MAX_MS, intervalMs * 2);
      timer = clock.setTimer(intervalMs, collectAndGoOn);
      lookAgain();
    };
    const sinceLastMs = lastMs === null ? Infinity : elapsedMs(lastMs, clock.nowMs());
    const firstMs = Math.max(STALL_GRACE_MS, intervalMs - sinceLastMs);
    let timer = clock.setTimer(firstMs, collectAndGoOn);
    return () => timer.clear();
  };
}

function collect(): void {
  // The flag shows `gc` to contexts made after it; the process's own globals stay as they are.
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') Reflect.apply(gc, undefined, []);
}
