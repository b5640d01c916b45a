/** Invariant 4: nothing is answered by a coordinator whose time as the leader is up on its own clock. */
import type { Coordinator } from '../actors/coordinator.ts';

export function checkLeadTime(coordinator: Coordinator): void {
  const { election, process, simulation } = coordinator;
  const sinceMs = process.nowMs() - election.lastLeadSentMs;
  if (sinceMs < election.ttlMs) return;
  simulation.world.fail(
    'answers only in its time',
    `${process.name} answers ${Math.round(sinceMs)} ms after it sent the last renewal that was granted`,
  );
}
