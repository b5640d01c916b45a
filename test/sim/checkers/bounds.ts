/** Invariant 26: what waits is bounded; and no node holds more leases than it asked for (14). */
import type { Coordinator } from '../actors/coordinator.ts';
import type { LandedRecord } from '../truth/truth.ts';
import type { World } from '../world/world.ts';

/**
 * What is being written was in the queue before, so at most as much again; and so it was of a former epoch
 * of this process, whose last write may still be under way.
 */
export function checkQueue(coordinator: Coordinator): void {
  const { world } = coordinator.simulation;
  const most = 3 * world.scene.queueMax;
  if (coordinator.waiting <= most) return;
  world.fail('queues are bounded', `${coordinator.waiting} requests wait, at most ${most} may`);
}

const GIVES: ReadonlySet<string> = new Set(['lease_granted', 'lease_split', 'lease_doubled']);

export function checkWant(world: World, { record, twin }: LandedRecord): void {
  if (!GIVES.has(record.type) || !('node' in record)) return;
  const held = twin?.nodes.get(record.node)?.live.size ?? 0;
  const { want } = world.scene;
  if (held >= want)
    world.fail('one effect per request', `${record.node} gets more than ${want} leases`);
}
