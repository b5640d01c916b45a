/** The ways in which a node's part in a job ends. */
import type { MonoMs } from '../base/units.ts';
import type { HolderEffect, NodeOutcome } from './holder-protocol.ts';
import type { HolderState } from './holder-state.ts';

/** Gives up what is held and makes the last call; safe to ask for twice. */
export function leave(
  state: HolderState,
  effects: HolderEffect[],
  nowMs: MonoMs,
  outcome: NodeOutcome,
): void {
  if (state.mode.type === 'leaving' || state.mode.type === 'ended') return;
  state.loseAll(effects, outcome.type === 'failed' ? outcome.message : 'the node leaves');
  if (state.registration === 0) {
    state.mode = { type: 'ended', outcome };
    effects.push({ type: 'ended', outcome });
    return;
  }
  state.mode = { type: 'leaving', outcome };
  state.call(effects, { type: 'leave' }, nowMs);
}

/** Ends without a last call: the coordinator has said that this node is not a member. */
export function end(state: HolderState, effects: HolderEffect[], outcome: NodeOutcome): void {
  state.loseAll(effects, outcome.type === 'failed' ? outcome.message : 'the node leaves');
  state.mode = { type: 'ended', outcome };
  effects.push({ type: 'ended', outcome });
}

/** The last call was answered, or found nobody: either way nothing is left to do. */
export function endLeaving(state: HolderState, effects: HolderEffect[]): void {
  if (state.mode.type !== 'leaving') return;
  const { outcome } = state.mode;
  state.mode = { type: 'ended', outcome };
  effects.push({ type: 'ended', outcome });
}
