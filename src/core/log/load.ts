/**
 * Reads the log whole: the snapshot that counts, then the entries after it. A leader may move both on
 * meanwhile; then the reading starts again at what counts now.
 */
import { crc32 } from '../base/crc32.ts';
import { damaged } from './damage.ts';
import { partKey } from './keys.ts';
import { PAGE_PARTS } from './limits.ts';
import { LOOK, type LogView, viewOf } from './log-view.ts';
import { joined, type ReadEntry, type ReadState, startRead, stepRead } from './read-entries.ts';
import {
  done,
  reading,
  type Step,
  type StoreAnswer,
  type StoreOperation,
} from './store-protocol.ts';

export interface LoadState {
  readonly type: 'load';
  /** Null before the first look. */
  readonly view: LogView | null;
  readonly parts: readonly Uint8Array[];
  /** Null until the snapshot is read. */
  readonly read: ReadState | null;
}

export interface LoadOutcome {
  readonly snapshot: Uint8Array | null;
  readonly snapshotSeq: number;
  readonly trimmedSeq: number;
  readonly entries: readonly ReadEntry[];
  readonly tailSeq: number;
  readonly epoch: number;
}

export type LoadStep = Step<LoadState, LoadOutcome>;

export function startLoad(): LoadStep {
  return send({ type: 'load', view: null, parts: [], read: null });
}

export function stepLoad(state: LoadState, answer: StoreAnswer): LoadStep {
  if (state.read !== null) return stepReading(state, state.read, answer);
  if (answer.type !== 'transacted') return send(state);
  const view = viewOf(answer.found);
  if (view.snapshot.revision !== state.view?.snapshot.revision) {
    return next({ ...state, view, parts: [] });
  }
  return takeParts(state, view, answer.found[LOOK.length]?.map((pair) => pair.value) ?? []);
}

function takeParts(state: LoadState, view: LogView, found: readonly Uint8Array[]): LoadStep {
  const parts = [...state.parts, ...found];
  const wanted = Math.min(state.parts.length + PAGE_PARTS, view.snapshot.parts);
  if (parts.length < wanted) {
    throw damaged(
      `the snapshot after entry ${view.snapshot.seq}`,
      `lacks its part ${parts.length}`,
    );
  }
  return next({ ...state, parts });
}

/** The next parts of the snapshot or, when all are there, the entries after it. */
function next(state: LoadState): LoadStep {
  const mark = state.view?.snapshot;
  if (mark === undefined || state.parts.length < mark.parts) return send(state);
  const bytes = joined(state.parts);
  if (bytes.length !== mark.bytes || crc32(bytes) !== mark.crc) {
    throw damaged(`the snapshot after entry ${mark.seq}`, 'does not match its checksum');
  }
  const begun = startRead(mark.seq, false);
  if (begun.type === 'done') return send({ type: 'load', view: null, parts: [], read: null });
  return { ...begun, state: { ...state, parts: [bytes], read: begun.state } };
}

function stepReading(state: LoadState, read: ReadState, answer: StoreAnswer): LoadStep {
  const step = stepRead(read, answer);
  if (step.type === 'send') return { ...step, state: { ...state, read: step.state } };
  const { result } = step;
  const view = state.view;
  // Trimmed meanwhile: there is a newer snapshot.
  if (result.type === 'trimmed' || view === null) return startLoad();
  return done({
    snapshot: view.snapshot.seq === 0 ? null : (state.parts[0] ?? new Uint8Array(0)),
    snapshotSeq: view.snapshot.seq,
    trimmedSeq: view.trim.seq,
    entries: result.entries,
    tailSeq: result.view.tail.seq,
    epoch: result.view.epoch.epoch,
  });
}

function send(state: LoadState): LoadStep {
  return { type: 'send', state, transaction: reading([...LOOK, ...partsRead(state)]) };
}

function partsRead({ view, parts }: LoadState): readonly StoreOperation[] {
  if (view === null || view.snapshot.parts === 0) return [];
  const { seq, nonce } = view.snapshot;
  const key = partKey('snap', seq, nonce, parts.length);
  return [{ type: 'get', key, endKey: partKey('snap', seq, nonce, parts.length + PAGE_PARTS) }];
}
