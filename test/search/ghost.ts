/**
 * What an observer of everything knows of a run: which entry was first in each slot, what was answered
 * and what was refused. Invariants 1 to 7 of the design are checked against it after every event.
 */
import { decodeSlot, type SlotEntry } from '../../src/core/log/entry-codec.ts';
import { partPrefix, seqOfSlot, slotKey } from '../../src/core/log/keys.ts';
import { type LogView, viewOf } from '../../src/core/log/log-view.ts';
import type { StoredPair } from '../../src/core/log/store-protocol.ts';
import { type ModelStore, pairAt, pairsIn } from './model-store.ts';

export interface GhostEntry {
  readonly epoch: number;
  readonly nonce: string;
  readonly text: string;
}

export interface Ghost {
  /** Entry `seq` at index `seq - 1`, as it was written first. */
  readonly history: readonly GhostEntry[];
  /** Claims that were told "won": `epoch nonce`. */
  readonly won: readonly string[];
  /** Appends that were told "ok": `seq nonce`. */
  readonly answered: readonly string[];
  /** Nonces of appends that were told "fenced". */
  readonly failed: readonly string[];
  readonly trimSeq: number;
  readonly snapshotSeq: number;
}

export const EMPTY_GHOST: Ghost = {
  history: [],
  won: [],
  answered: [],
  failed: [],
  trimSeq: 0,
  snapshotSeq: 0,
};

/** A state that must not be; the message begins with the number of the invariant. */
export class Violation extends Error {}

function demand(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Violation(text);
}

const decoder = new TextDecoder();

/** Pairs never change, and most are looked at in many worlds. */
const decoded = new WeakMap<StoredPair, SlotEntry>();

function slotOf(seq: number, pair: StoredPair): SlotEntry {
  const entry = decoded.get(pair) ?? decodeSlot(seq, pair.value);
  decoded.set(pair, entry);
  return entry;
}

export function lookAt(store: ModelStore): LogView {
  const found = ['epoch', 'tail', 'trim', 'snapshot'].map((key) => pairsIn(store.pairs, { key }));
  return viewOf(found);
}

/** What is known once `before` has become `store`. Throws `Violation`. */
export function observe(ghost: Ghost, before: ModelStore, store: ModelStore): Ghost {
  if (before === store) return ghost;
  const view = lookAt(store);
  const next = {
    ...withNewSlots(ghost, before, store, view),
    trimSeq: view.trim.seq,
    snapshotSeq: view.snapshot.seq,
  };
  demand(view.trim.seq >= ghost.trimSeq, '7: the trim boundary went back');
  demand(view.snapshot.seq >= ghost.snapshotSeq, '6: the snapshot that counts went back');
  demand(view.trim.seq <= view.snapshot.seq, '6: slots are closed that no snapshot holds');
  demand(view.tail.seq === next.history.length, '1: the tail is not the last slot');
  checkSnapshot(next, store, view);
  for (let seq = view.trim.seq + 1; seq <= view.tail.seq; seq += 1) {
    const pair = pairAt(store.pairs, slotKey(seq));
    const boundary = `and the trim boundary is at ${view.trim.seq}`;
    demand(pair !== undefined, `3: entry ${seq} is gone, ${boundary}`);
    const { nonce, parts } = slotOf(seq, pair);
    const prefix = partPrefix('part', seq, nonce);
    const found = store.pairs.filter((each) => each.key.startsWith(prefix)).length;
    demand(found === parts, `3: entry ${seq} has ${found} of ${parts} parts, ${boundary}`);
  }
  return next;
}

function withNewSlots(ghost: Ghost, before: ModelStore, store: ModelStore, view: LogView): Ghost {
  let { history } = ghost;
  for (const pair of pairsIn(store.pairs, { key: 'slot/', endKey: 'slot0' })) {
    if (before.pairs.includes(pair)) continue;
    const seq = seqOfSlot(pair.key);
    const { epoch, nonce, payload } = slotOf(seq, pair);
    const text = `${epoch}${payload === null ? 'x' : decoder.decode(payload)}`;
    demand(seq > ghost.trimSeq, `7: entry ${seq} was written at or below the trim boundary`);
    const first = history[seq - 1];
    demand(
      first === undefined || first.nonce === nonce,
      `1: slot ${seq} held the entry of ${first?.nonce ?? ''}, now that of ${nonce}`,
    );
    if (first !== undefined) continue;
    demand(seq === history.length + 1, `1: entry ${seq} was written after entry ${history.length}`);
    const last = history.at(-1);
    const isClaim = view.epoch.claimSeq === seq;
    const lastEpoch = last?.epoch ?? 0;
    demand(epoch >= lastEpoch, `2: entry ${seq} of epoch ${epoch} follows epoch ${lastEpoch}`);
    demand(!isClaim || epoch > lastEpoch, `2: epoch ${epoch} was claimed twice`);
    demand(isClaim || epoch === lastEpoch, `2: nobody claimed epoch ${epoch}`);
    history = [...history, { epoch, nonce, text }];
    demand(!ghost.failed.includes(nonce), `5: ${nonce} was told "failed" and is in slot ${seq}`);
  }
  return history === ghost.history ? ghost : { ...ghost, history };
}

function checkSnapshot(ghost: Ghost, store: ModelStore, view: LogView): void {
  const { seq, nonce, parts } = view.snapshot;
  if (seq === 0) return;
  const prefix = partPrefix('snap', seq, nonce);
  const found = store.pairs.filter((pair) => pair.key.startsWith(prefix));
  demand(found.length === parts, `6: parts of the snapshot after entry ${seq} are gone`);
  const text = found.map((pair) => decoder.decode(pair.value)).join('');
  demand(text === prefixText(ghost, seq), `6: the snapshot after entry ${seq} is not the log's`);
}

export function prefixText(ghost: Ghost, seq: number): string {
  return ghost.history
    .slice(0, seq)
    .map((entry) => entry.text)
    .join(' ');
}

export function checkLoaded(ghost: Ghost, replica: readonly string[]): void {
  demand(
    replica.join(' ') === prefixText(ghost, replica.length),
    `6: what was loaded is [${replica.join(' ')}], the log is [${prefixText(ghost, ghost.history.length)}]`,
  );
}

export function noteWon(ghost: Ghost, store: ModelStore, epoch: number, nonce: string): Ghost {
  const holder = lookAt(store).epoch;
  demand(
    holder.nonce === nonce && holder.epoch === epoch,
    `2: ${nonce} was told that it won epoch ${epoch}, which ${holder.nonce} holds`,
  );
  demand(
    !ghost.won.some((claim) => claim.startsWith(`${epoch} `)),
    `2: epoch ${epoch} was won twice`,
  );
  return { ...ghost, won: [...ghost.won, `${epoch} ${nonce}`] };
}

/** Whoever is told "ok" must have been the leader when what it was told was true. */
export function checkLeads(store: ModelStore, claimNonce: string, what: string): void {
  const { nonce, epoch } = lookAt(store).epoch;
  demand(
    nonce === claimNonce,
    `4: ${what} of ${claimNonce} was told "ok" when ${nonce} held epoch ${epoch}`,
  );
}

export function noteAnswered(ghost: Ghost, store: ModelStore, seq: number, nonce: string): Ghost {
  demand(
    ghost.history[seq - 1]?.nonce === nonce,
    `3: ${nonce} was told "ok", and slot ${seq} holds ${ghost.history[seq - 1]?.nonce ?? 'nothing'}`,
  );
  const isClosed = seq <= lookAt(store).trim.seq;
  demand(!isClosed, `7: ${nonce} was told "ok" for a slot that is closed`);
  return { ...ghost, answered: [...ghost.answered, `${seq} ${nonce}`] };
}

export function noteFailed(ghost: Ghost, nonce: string): Ghost {
  const seq = ghost.history.findIndex((entry) => entry.nonce === nonce) + 1;
  demand(seq === 0, `5: ${nonce} was told "failed" and is in slot ${seq}`);
  return { ...ghost, failed: [...ghost.failed, nonce] };
}
