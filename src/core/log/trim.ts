/**
 * Closes the slots up to a place that a snapshot holds, then deletes them, in bounded pieces. The
 * boundary moves first and never back: whatever stands at or below it is garbage for ever, so a deletion
 * that arrives late or twice takes nothing that counts.
 */
import { assert } from '../base/assert.ts';
import { fence, type Hold, isHeld } from './hold.ts';
import { partsBelow, seqOfSlot, slotRange, TRIM_KEY } from './keys.ts';
import { DELETED_SLOTS_MAX } from './limits.ts';
import { encodeMark, LOOK, viewOf } from './log-view.ts';
import type { FencedOutcome } from './snapshot.ts';
import {
  done,
  reading,
  type Step,
  type StoreAnswer,
  type StoreOperation,
  type StoreTransaction,
  type Transacted,
} from './store-protocol.ts';

export interface TrimState {
  readonly type: 'trim';
  readonly phase: 'look' | 'write' | 'sweep';
  readonly hold: Hold;
  readonly upToSeq: number;
  /** Of the boundary, as of the last look. */
  readonly seenRevision: number;
  /** Slots below this one are deleted next. */
  readonly sweepEndSeq: number;
}

export type TrimStep = Step<TrimState, FencedOutcome>;

export function startTrim(hold: Hold, upToSeq: number): TrimStep {
  return send({ type: 'trim', phase: 'look', hold, upToSeq, seenRevision: 0, sweepEndSeq: 0 });
}

export function stepTrim(state: TrimState, answer: StoreAnswer): TrimStep {
  if (answer.type === 'refused') return send(state);
  if (answer.type === 'unknown') {
    return send(state.phase === 'write' ? { ...state, phase: 'look' } : state);
  }
  if (!answer.succeeded || state.phase === 'look') return judge(state, answer);
  if (state.phase === 'sweep' && state.sweepEndSeq > state.upToSeq) return done({ type: 'ok' });
  return sweep(state, answer.found.at(-1)?.[0]?.key);
}

function judge(state: TrimState, { found }: Transacted): TrimStep {
  const view = viewOf(found);
  if (!isHeld(view, state.hold)) return done({ type: 'fenced', epoch: view.epoch.epoch });
  assert(state.upToSeq <= view.snapshot.seq, 'what no snapshot holds is not trimmed');
  if (view.trim.seq >= state.upToSeq) return sweep(state, found.at(-1)?.[0]?.key);
  return send({ ...state, phase: 'write', seenRevision: view.trim.revision });
}

/** Deletes the next piece, from the lowest slot that is there. */
function sweep(state: TrimState, lowestKey: string | undefined): TrimStep {
  const lowestSeq = lowestKey === undefined ? state.upToSeq : seqOfSlot(lowestKey);
  const sweepEndSeq = Math.min(lowestSeq + DELETED_SLOTS_MAX, state.upToSeq + 1);
  return send({ ...state, phase: 'sweep', sweepEndSeq });
}

function send(state: TrimState): TrimStep {
  return { type: 'send', state, transaction: transactionOf(state) };
}

function transactionOf(state: TrimState): StoreTransaction {
  const { hold, upToSeq, seenRevision, sweepEndSeq } = state;
  const lowest: StoreOperation = { type: 'get', ...slotRange(0, upToSeq + 1), limit: 1 };
  const elseLook = [...LOOK, lowest];
  switch (state.phase) {
    case 'look':
      return reading(elseLook);
    case 'write':
      return {
        compares: [fence(hold), { key: TRIM_KEY, target: 'mod_revision', revision: seenRevision }],
        then: [
          { type: 'put', key: TRIM_KEY, value: encodeMark(TRIM_KEY, { seq: upToSeq }) },
          lowest,
        ],
        else: elseLook,
      };
    case 'sweep':
      return {
        compares: [fence(hold)],
        then: [
          { type: 'delete', ...slotRange(0, sweepEndSeq) },
          { type: 'delete', ...partsBelow('part', sweepEndSeq) },
          lowest,
        ],
        else: elseLook,
      };
    default:
      return state.phase satisfies never;
  }
}
