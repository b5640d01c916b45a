/**
 * Writes one entry to one slot, and finds out what became of it. The entry and the tail are put in one
 * transaction that holds only under this writer's epoch, at this tail, on an empty slot. An outcome that
 * is unknown is resolved on that same slot:
 *
 *   - the slot holds this very entry (seq, epoch, nonce, checksum), however late it landed, and the epoch
 *     is still ours: it is done;
 *   - the slot is empty and the epoch is ours: the same bytes are sent again;
 *   - the slot is empty or another's, and the epoch is another's: it did not land and cannot any more;
 *   - the slot is closed by the trim boundary, or this entry stands in it under another's epoch: this
 *     writer leads no more, and must not call "failed" what is, or may be, in the log.
 */
import { assert } from '../base/assert.ts';
import {
  decodeSlot,
  encodeSlot,
  type EntryIdentity,
  identityOf,
  isSameEntry,
  partCount,
} from './entry-codec.ts';
import { fence, type Hold, isHeld } from './hold.ts';
import { partKey, slotKey, TAIL_KEY } from './keys.ts';
import { PART_BYTES } from './limits.ts';
import { encodeMark, LOOK, viewOf } from './log-view.ts';
import {
  done,
  reading,
  type Step,
  type StoreAnswer,
  type StoreOperation,
  type StoreTransaction,
  type Transacted,
} from './store-protocol.ts';

export interface AppendState {
  readonly type: 'append';
  readonly phase: 'part' | 'write' | 'look';
  readonly hold: Hold;
  readonly identity: EntryIdentity;
  readonly payload: Uint8Array;
  /** Parts that are written. */
  readonly partsDone: number;
}

export type AppendOutcome =
  | { readonly type: 'ok'; readonly tailRevision: number }
  /** It is not in the log and never will be. */
  | { readonly type: 'fenced'; readonly epoch: number }
  /** It is in the log, or may have been before the slot was trimmed; but another leads. */
  | { readonly type: 'overtaken'; readonly epoch: number };

export type AppendStep = Step<AppendState, AppendOutcome>;

export function startAppend(
  hold: Hold,
  seq: number,
  payload: Uint8Array,
  nonce: string,
): AppendStep {
  const state: AppendState = {
    type: 'append',
    phase: 'part',
    hold,
    identity: identityOf(seq, hold.epoch, nonce, payload),
    payload,
    partsDone: 0,
  };
  // Anything but the next slot is a repetition, or leaves a gap: only what is there already counts.
  return seq === hold.tailSeq + 1 ? write(state) : look(state);
}

export function stepAppend(state: AppendState, answer: StoreAnswer): AppendStep {
  switch (answer.type) {
    case 'transacted':
      if (state.phase === 'look' || !answer.succeeded) return judge(state, answer);
      if (state.phase === 'write') return done({ type: 'ok', tailRevision: answer.revision });
      return write({ ...state, partsDone: state.partsDone + 1 });
    case 'unknown':
      return state.phase === 'part' ? write(state) : look(state);
    case 'refused':
      return state.phase === 'look' ? look(state) : write(state);
    default:
      return answer satisfies never;
  }
}

function judge(state: AppendState, { found }: Transacted): AppendStep {
  const { hold, identity } = state;
  const view = viewOf(found);
  const isOurs = isHeld(view, hold);
  const { epoch } = view.epoch;
  if (identity.seq <= view.trim.seq) return done({ type: 'overtaken', epoch });
  const there = found[LOOK.length]?.[0];
  if (there !== undefined) {
    if (!isSameEntry(decodeSlot(identity.seq, there.value), identity)) {
      return done({ type: 'fenced', epoch });
    }
    if (!isOurs) return done({ type: 'overtaken', epoch });
    return done({ type: 'ok', tailRevision: view.tail.revision });
  }
  const isNext = identity.seq === view.tail.seq + 1;
  if (!isOurs || !isNext) return done({ type: 'fenced', epoch });
  assert(view.tail.revision === hold.tailRevision, 'only the holder of the epoch moves the tail');
  return write(state);
}

function look(state: AppendState): AppendStep {
  return {
    type: 'send',
    state: { ...state, phase: 'look' },
    transaction: reading(lookOperations(state)),
  };
}

function lookOperations({ identity }: AppendState): readonly StoreOperation[] {
  return [...LOOK, { type: 'get', key: slotKey(identity.seq) }];
}

/** The next part that is not written yet, or else the entry. */
function write(state: AppendState): AppendStep {
  if (state.partsDone < partCount(state.payload.length)) {
    return { type: 'send', state: { ...state, phase: 'part' }, transaction: writingPart(state) };
  }
  return { type: 'send', state: { ...state, phase: 'write' }, transaction: appending(state) };
}

function writingPart(state: AppendState): StoreTransaction {
  const { hold, identity, payload, partsDone } = state;
  const start = partsDone * PART_BYTES;
  const value = payload.subarray(start, start + PART_BYTES);
  const key = partKey('part', identity.seq, identity.nonce, partsDone);
  return {
    compares: [fence(hold)],
    then: [{ type: 'put', key, value }],
    else: lookOperations(state),
  };
}

function appending(state: AppendState): StoreTransaction {
  const { hold, identity, payload } = state;
  const { seq } = identity;
  return {
    compares: [
      fence(hold),
      { key: TAIL_KEY, target: 'mod_revision', revision: hold.tailRevision },
      { key: slotKey(seq), target: 'create_revision', revision: 0 },
    ],
    then: [
      { type: 'put', key: slotKey(seq), value: encodeSlot(identity, payload) },
      { type: 'put', key: TAIL_KEY, value: encodeMark(TAIL_KEY, { seq }) },
    ],
    else: lookOperations(state),
  };
}
