/**
 * Reads entries in order, a page at a time, each page with the boundary as of the same moment: an entry
 * that is not there was trimmed, or the log is damaged, and the reader knows which.
 */
import { must } from '../base/assert.ts';
import { damaged } from './damage.ts';
import { checkPayload, decodeSlot, type SlotEntry } from './entry-codec.ts';
import { partKey, slotKey, slotRange } from './keys.ts';
import { FOLLOWED_BYTES, PAGE_PARTS, PAGE_SLOTS } from './limits.ts';
import { LOOK, type LogView, viewOf } from './log-view.ts';
import { done, reading, type Step, type StoreAnswer, type StoredPair } from './store-protocol.ts';

export interface ReadEntry {
  readonly seq: number;
  readonly epoch: number;
  readonly payload: Uint8Array;
}

export interface ReadState {
  readonly type: 'read';
  /** The last one read. */
  readonly afterSeq: number;
  /** One page is enough. */
  readonly isOnePage: boolean;
  readonly entries: readonly ReadEntry[];
  /** Slots of the page whose payloads are not all there yet. */
  readonly waiting: readonly SlotEntry[];
  /** Parts of the first of them. */
  readonly parts: readonly Uint8Array[];
  /** With the page that was read last. */
  readonly view: LogView | null;
}

export type ReadOutcome =
  | { readonly type: 'entries'; readonly entries: readonly ReadEntry[]; readonly view: LogView }
  /** The entry after `afterSeq` may be gone. */
  | { readonly type: 'trimmed'; readonly trimmedSeq: number };

export type ReadStep = Step<ReadState, ReadOutcome>;

/** All entries after `afterSeq`, or, with `isOnePage`, the first of them. */
export function startRead(afterSeq: number, isOnePage: boolean): ReadStep {
  return send({
    type: 'read',
    afterSeq,
    isOnePage,
    entries: [],
    waiting: [],
    parts: [],
    view: null,
  });
}

export function stepRead(state: ReadState, answer: StoreAnswer): ReadStep {
  if (answer.type !== 'transacted') return send(state);
  const view = viewOf(answer.found);
  if (state.afterSeq < view.trim.seq) {
    return done({ type: 'trimmed', trimmedSeq: view.trim.seq });
  }
  const found = answer.found[LOOK.length] ?? [];
  return state.waiting.length === 0
    ? takePage({ ...state, view }, view, found)
    : takeParts(state, found);
}

function takePage(state: ReadState, view: LogView, found: readonly StoredPair[]): ReadStep {
  const first = state.afterSeq + 1;
  const count = Math.max(0, Math.min(view.tail.seq - state.afterSeq, PAGE_SLOTS));
  const slots: SlotEntry[] = [];
  for (let seq = first; seq < first + count; seq += 1) {
    const pair = found[seq - first];
    if (pair?.key !== slotKey(seq)) throw damaged(`entry ${seq}`, 'is missing');
    slots.push(decodeSlot(seq, pair.value));
  }
  if (found.length > count) throw damaged(`entry ${first + count}`, 'stands beyond the tail');
  return settle({ ...state, waiting: slots });
}

function takeParts(state: ReadState, found: readonly StoredPair[]): ReadStep {
  const slot = must(state.waiting[0], 'a slot waits for its parts');
  const parts = [...state.parts];
  for (const pair of found) {
    if (pair.key === partKey('part', slot.seq, slot.nonce, parts.length)) parts.push(pair.value);
  }
  if (parts.length < Math.min(state.parts.length + PAGE_PARTS, slot.parts)) {
    throw damaged(`entry ${slot.seq}`, `lacks its part ${parts.length}`);
  }
  if (parts.length < slot.parts) return send({ ...state, parts });
  const payload = joined(parts);
  checkPayload(slot, payload);
  return settle({
    ...state,
    parts: [],
    waiting: [{ ...slot, payload }, ...state.waiting.slice(1)],
  });
}

/** Moves what is whole from the page to the entries; then asks for what is missing, or ends. */
function settle(state: ReadState): ReadStep {
  const entries = [...state.entries];
  const { waiting } = state;
  let bytes = 0;
  let taken = 0;
  for (const { seq, epoch, payload } of waiting) {
    if (payload === null || (state.isOnePage && bytes >= FOLLOWED_BYTES)) break;
    entries.push({ seq, epoch, payload });
    bytes += payload.length;
    taken += 1;
  }
  const view = must(state.view, 'a page was read');
  const next = {
    ...state,
    entries,
    afterSeq: state.afterSeq + taken,
    waiting: waiting.slice(taken),
  };
  const isEnough = state.isOnePage && (taken > 0 || waiting.length === 0);
  if (isEnough || next.afterSeq >= view.tail.seq) return done({ type: 'entries', entries, view });
  return send(next);
}

function send(state: ReadState): ReadStep {
  const slot = state.waiting[0];
  const range =
    slot === undefined
      ? slotRange(state.afterSeq + 1, state.afterSeq + 1 + PAGE_SLOTS)
      : {
          key: partKey('part', slot.seq, slot.nonce, state.parts.length),
          endKey: partKey('part', slot.seq, slot.nonce, state.parts.length + PAGE_PARTS),
        };
  return { type: 'send', state, transaction: reading([...LOOK, { type: 'get', ...range }]) };
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
