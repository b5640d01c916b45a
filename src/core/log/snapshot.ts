/**
 * Makes a snapshot count: its parts first, under a nonce of their own, then the pointer to them, in one
 * transaction that compares the epoch and the pointer that was there. A pointer never goes back, so
 * whatever stands below its place is garbage for ever, and is deleted last.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/crc32.ts';
import { fence, type Hold, isHeld } from './hold.ts';
import { partKey, partsBelow, SNAPSHOT_KEY } from './keys.ts';
import { PART_BYTES } from './limits.ts';
import { encodeMark, LOOK, viewOf } from './log-view.ts';
import {
  done,
  reading,
  type Step,
  type StoreAnswer,
  type StoreTransaction,
  type Transacted,
} from './store-protocol.ts';

export interface SnapshotState {
  readonly type: 'snapshot';
  readonly phase: 'look' | 'part' | 'write' | 'sweep';
  readonly hold: Hold;
  readonly upToSeq: number;
  readonly bytes: Uint8Array;
  /** Fresh for this snapshot. */
  readonly nonce: string;
  /** Parts that are written. */
  readonly partsDone: number;
  /** Of the pointer, as of the last look. */
  readonly seenRevision: number;
}

export type FencedOutcome =
  | { readonly type: 'ok' }
  /** Another leads. */
  | { readonly type: 'fenced'; readonly epoch: number };

export type SnapshotStep = Step<SnapshotState, FencedOutcome>;

export function startSnapshot(
  hold: Hold,
  upToSeq: number,
  bytes: Uint8Array,
  nonce: string,
): SnapshotStep {
  return send({
    type: 'snapshot',
    phase: 'look',
    hold,
    upToSeq,
    bytes,
    nonce,
    partsDone: 0,
    seenRevision: 0,
  });
}

export function stepSnapshot(state: SnapshotState, answer: StoreAnswer): SnapshotStep {
  if (answer.type === 'refused') return send(state);
  if (answer.type === 'unknown') {
    // Parts and deletions may be done twice; whether the pointer moved must be looked up.
    return send(state.phase === 'write' ? { ...state, phase: 'look' } : state);
  }
  if (state.phase === 'look' || !answer.succeeded) return judge(state, answer);
  switch (state.phase) {
    case 'part':
      return writeNext({ ...state, partsDone: state.partsDone + 1 });
    case 'write':
      return send({ ...state, phase: 'sweep' });
    case 'sweep':
      return done({ type: 'ok' });
    default:
      return state.phase satisfies never;
  }
}

function judge(state: SnapshotState, { found }: Transacted): SnapshotStep {
  const view = viewOf(found);
  if (!isHeld(view, state.hold)) return done({ type: 'fenced', epoch: view.epoch.epoch });
  if (view.snapshot.nonce === state.nonce) return send({ ...state, phase: 'sweep' });
  const isPast = state.upToSeq <= view.tail.seq && state.upToSeq >= view.snapshot.seq;
  assert(isPast, 'a snapshot is of the log’s past, and no older than the one before');
  return writeNext({ ...state, seenRevision: view.snapshot.revision });
}

function writeNext(state: SnapshotState): SnapshotStep {
  return send({ ...state, phase: state.partsDone < partsOf(state) ? 'part' : 'write' });
}

function partsOf({ bytes }: SnapshotState): number {
  return Math.ceil(bytes.length / PART_BYTES);
}

function send(state: SnapshotState): SnapshotStep {
  return { type: 'send', state, transaction: transactionOf(state) };
}

function transactionOf(state: SnapshotState): StoreTransaction {
  switch (state.phase) {
    case 'look':
      return reading(LOOK);
    case 'part':
      return writingPart(state);
    case 'write':
      return pointing(state);
    case 'sweep':
      return {
        compares: [fence(state.hold)],
        then: [{ type: 'delete', ...partsBelow('snap', state.upToSeq) }],
        else: LOOK,
      };
    default:
      return state.phase satisfies never;
  }
}

function writingPart(state: SnapshotState): StoreTransaction {
  const { hold, upToSeq, bytes, nonce, partsDone } = state;
  const start = partsDone * PART_BYTES;
  const value = bytes.subarray(start, start + PART_BYTES);
  const key = partKey('snap', upToSeq, nonce, partsDone);
  return { compares: [fence(hold)], then: [{ type: 'put', key, value }], else: LOOK };
}

function pointing(state: SnapshotState): StoreTransaction {
  const { hold, upToSeq, bytes, nonce, seenRevision } = state;
  const mark = {
    seq: upToSeq,
    nonce,
    parts: partsOf(state),
    bytes: bytes.length,
    crc: crc32(bytes),
  };
  return {
    compares: [fence(hold), { key: SNAPSHOT_KEY, target: 'mod_revision', revision: seenRevision }],
    then: [{ type: 'put', key: SNAPSHOT_KEY, value: encodeMark(SNAPSHOT_KEY, mark) }],
    else: LOOK,
  };
}
