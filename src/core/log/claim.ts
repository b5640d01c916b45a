/**
 * Takes the log over: looks, then writes epoch, claim entry and tail in one transaction that holds only
 * if nobody claimed and nobody appended since the look. A claim whose outcome is unknown is looked for:
 * if it landed, now or late, it is won; if nothing changed it is sent again; if something did, it cannot
 * land any more, and is lost.
 */
import { assert } from '../base/assert.ts';
import { damaged } from './damage.ts';
import { encodeSlot, identityOf } from './entry-codec.ts';
import type { Hold } from './hold.ts';
import { EPOCH_KEY, slotKey, TAIL_KEY } from './keys.ts';
import { encodeMark, LOOK, type LogView, viewOf } from './log-view.ts';
import {
  done,
  reading,
  type Step,
  type StoreAnswer,
  type StoreOperation,
  type StoreTransaction,
  type Transacted,
} from './store-protocol.ts';

export interface ClaimState {
  readonly type: 'claim';
  readonly phase: 'look' | 'write';
  /** The tail that the claimant has the state of. */
  readonly tailSeq: number;
  readonly epoch: number;
  readonly who: string;
  /** Fresh for this claim. */
  readonly nonce: string;
  /** As of the last look. */
  readonly seenEpochRevision: number;
  readonly seenTailRevision: number;
}

export type ClaimOutcome =
  | { readonly type: 'won'; readonly hold: Hold }
  | { readonly type: 'lost'; readonly epoch: number; readonly holder: string };

export type ClaimStep = Step<ClaimState, ClaimOutcome>;

export function startClaim(claim: {
  readonly tailSeq: number;
  readonly epoch: number;
  readonly who: string;
  readonly nonce: string;
}): ClaimStep {
  assert(claim.epoch > 0, 'epochs are counted from 1');
  return look({
    type: 'claim',
    phase: 'look',
    ...claim,
    seenEpochRevision: 0,
    seenTailRevision: 0,
  });
}

export function stepClaim(state: ClaimState, answer: StoreAnswer): ClaimStep {
  switch (answer.type) {
    case 'transacted':
      if (state.phase === 'look' || !answer.succeeded) return judge(state, answer);
      return won(state, answer.revision, answer.revision);
    case 'unknown':
      return look(state);
    case 'refused':
      return state.phase === 'look' ? look(state) : write(state);
    default:
      return answer satisfies never;
  }
}

function judge(state: ClaimState, { found }: Transacted): ClaimStep {
  const view = viewOf(found);
  const { epoch, tail } = view;
  if (isThisClaim(state, view)) return won(state, epoch.revision, tail.revision);
  if (epoch.epoch >= state.epoch || tail.seq !== state.tailSeq) {
    return done({ type: 'lost', epoch: epoch.epoch, holder: epoch.holder });
  }
  if ((found[LOOK.length] ?? []).length > 0) {
    throw damaged(`entry ${state.tailSeq + 1}`, 'stands beyond the tail');
  }
  return write({
    ...state,
    seenEpochRevision: epoch.revision,
    seenTailRevision: tail.revision,
  });
}

function isThisClaim(state: ClaimState, { epoch }: LogView): boolean {
  return epoch.epoch === state.epoch && epoch.holder === state.who && epoch.nonce === state.nonce;
}

function won(state: ClaimState, epochRevision: number, tailRevision: number): ClaimStep {
  const { epoch, nonce, tailSeq } = state;
  const hold = { epoch, nonce, epochRevision, tailSeq: tailSeq + 1, tailRevision };
  return done({ type: 'won', hold });
}

function look(state: ClaimState): ClaimStep {
  return {
    type: 'send',
    state: { ...state, phase: 'look' },
    transaction: reading(lookOperations(state)),
  };
}

function lookOperations(state: ClaimState): readonly StoreOperation[] {
  return [...LOOK, { type: 'get', key: slotKey(state.tailSeq + 1) }];
}

function write(state: ClaimState): ClaimStep {
  return { type: 'send', state: { ...state, phase: 'write' }, transaction: claiming(state) };
}

function claiming(state: ClaimState): StoreTransaction {
  const { epoch, who, nonce } = state;
  const claimSeq = state.tailSeq + 1;
  const payload = new Uint8Array(0);
  const entry = encodeSlot(identityOf(claimSeq, epoch, nonce, payload), payload);
  const mark = encodeMark(EPOCH_KEY, { epoch, holder: who, nonce, claimSeq });
  return {
    compares: [
      { key: EPOCH_KEY, target: 'mod_revision', revision: state.seenEpochRevision },
      { key: TAIL_KEY, target: 'mod_revision', revision: state.seenTailRevision },
      { key: slotKey(claimSeq), target: 'create_revision', revision: 0 },
    ],
    then: [
      { type: 'put', key: EPOCH_KEY, value: mark },
      { type: 'put', key: slotKey(claimSeq), value: entry },
      { type: 'put', key: TAIL_KEY, value: encodeMark(TAIL_KEY, { seq: claimSeq }) },
    ],
    else: lookOperations(state),
  };
}
