/** Invariant 6: live state = replay = snapshot and tail. */
import {
  applyEntry,
  assertInvariants,
  type CoordinatorState,
} from '../../../src/core/job/coordinator.ts';
import { monoMs } from '../../../src/core/base/units.ts';
import type { Truth } from '../truth/truth.ts';
import type { World } from '../world/world.ts';
import { differenceOf } from './same-state.ts';

const NAME = 'live state is the replay';

/** `state` has everything up to entry `seq`. */
export function checkReplay(
  world: World,
  truth: Truth,
  state: CoordinatorState,
  seq: number,
  what: string,
): void {
  const difference = differenceOf(truth.stateAt(seq), state);
  if (difference !== null)
    world.fail(NAME, `${what} at ${seq} is not what the log says: ${difference}`);
  checkState(world, state, what);
}

/** The invariants of the state that cost as much as the state is large. */
export function checkState(world: World, state: CoordinatorState, what: string): void {
  try {
    assertInvariants(state);
  } catch (error) {
    world.fail('state invariants', `${what}: ${String(error)}`);
  }
}

/** A snapshot that became the log's, and the entries after it. */
export function checkSnapshot(
  world: World,
  truth: Truth,
  snapshot: Uint8Array,
  snapshotSeq: number,
): void {
  const state = truth.snapshotOf(snapshot);
  for (const slot of truth.slots.slice(snapshotSeq)) {
    if (slot.payload.length === 0) continue;
    const records = truth.recordsOf(slot.payload);
    applyEntry(state, { epoch: slot.epoch, seq: slot.seq, records }, monoMs(0));
  }
  const difference = differenceOf(truth.state, state);
  if (difference !== null) {
    world.fail(NAME, `the snapshot after ${snapshotSeq} and the tail differ: ${difference}`);
  }
}
