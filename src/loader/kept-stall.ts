/**
 * A program that keeps every batch and asks for one more waits for itself. That is told apart from a batch
 * that is released a moment later by time alone, so it is said and not thrown.
 */
import type { PipelineOptions } from '../pipeline/index.ts';
import type { Clock } from '../ports/clock.ts';
import { KEPT_STALL_MS } from './limits.ts';

type OnStall = Exclude<PipelineOptions['onStall'], undefined>;

/** `onStall`, which also has it said, once, when a stall lasts. */
export function sayingWhenKept(onStall: OnStall, clock: Clock, say: () => void): OnStall {
  let isSaid = false;
  return (lookAgain) => {
    const end = onStall(lookAgain);
    if (isSaid) return end;
    const timer = clock.setTimer(KEPT_STALL_MS, () => {
      isSaid = true;
      say();
    });
    return () => {
      timer.clear();
      end();
    };
  };
}
