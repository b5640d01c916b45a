/** Invariant 4: nothing is answered by a coordinator whose time as the leader is up on its own clock. */
import type { Coordinator } from '../actors/coordinator.ts';

/**
 * What is answered or refused was decided by somebody who led at some moment after it was asked;
 * `claimedBefore` is the last epoch that had been claimed by then.
 */
export function checkLed(
  { candidacy, process, simulation }: Coordinator,
  claimedBefore: number,
): void {
  const { epoch } = candidacy;
  if (epoch >= claimedBefore) return;
  simulation.world.fail(
    'who answers led when asked',
    `${process.name} answers in epoch ${epoch} what it was asked after ${claimedBefore} was claimed`,
  );
}

export function checkLeadTime(coordinator: Coordinator): void {
  const { election, process, simulation } = coordinator;
  const sinceMs = process.nowMs() - election.lastLeadSentMs;
  if (sinceMs < election.ttlMs) return;
  simulation.world.fail(
    'answers only in its time',
    `${process.name} answers ${Math.round(sinceMs)} ms after it sent the last renewal that was granted`,
  );
}
