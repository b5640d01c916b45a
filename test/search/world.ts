/**
 * Writers, a store and the network between them, as one immutable value. The writers run the real state
 * machines of `src/core/log`. Whatever a writer sends is either done and answered, or its outcome is
 * unknown to the writer: then it is on its way, and lands at any later moment, or never. A dropped
 * request is one that never lands, a lost answer one that lands at once, a paused writer one whose turn
 * does not come. A writer that crashes comes back as a new process.
 */
import { stepAppend, startAppend, type AppendState } from '../../src/core/log/append.ts';
import { startClaim, stepClaim, type ClaimState } from '../../src/core/log/claim.ts';
import type { Hold } from '../../src/core/log/hold.ts';
import { type LoadState, startLoad, stepLoad } from '../../src/core/log/load.ts';
import { type SnapshotState, startSnapshot, stepSnapshot } from '../../src/core/log/snapshot.ts';
import type { StoreAnswer, StoreTransaction } from '../../src/core/log/store-protocol.ts';
import { startTrim, stepTrim, type TrimState } from '../../src/core/log/trim.ts';
import { EMPTY_GHOST, type Ghost } from './ghost.ts';
import { EMPTY_STORE, type ModelStore } from './model-store.ts';

/** How much of each may happen. */
export interface Bounds {
  readonly writers: number;
  readonly claims: number;
  readonly appends: number;
  readonly snapshots: number;
  readonly trims: number;
  /** Outcomes that stay unknown to the writer. */
  readonly unknowns: number;
  readonly crashes: number;
  /** Of every append: 1, or 0 as a claim has. */
  readonly payloadBytes: 0 | 1;
}

export type Task = 'load' | 'claim' | 'append' | 'snapshot' | 'trim';

export type MachineState = LoadState | ClaimState | AppendState | SnapshotState | TrimState;

/** What a writer waits for: the answer to `transaction`. */
export interface Pending {
  readonly state: MachineState;
  readonly transaction: StoreTransaction;
}

export interface Writer {
  readonly name: string;
  /** Grows with each crash. */
  readonly life: number;
  readonly noncesUsed: number;
  readonly pending: Pending | null;
  readonly hold: Hold | null;
  /** The log up to the tail it knows, one text an entry; null before it loaded. */
  readonly replica: readonly string[] | null;
  readonly epochSeen: number;
  readonly snapshotSeq: number;
  /** It was told that another leads. Only a new process goes on. */
  readonly isEnded: boolean;
}

export interface World {
  readonly store: ModelStore;
  readonly writers: readonly Writer[];
  /** On their way, in the order in which they were sent. */
  readonly late: readonly StoreTransaction[];
  readonly left: Bounds;
  readonly ghost: Ghost;
}

export type Action =
  /** The writer's next request (the first of `task` when it is idle) is done and answered. */
  | { readonly type: 'answer'; readonly writer: number; readonly task: Task | null }
  /** The same, but the writer learns nothing and the request is on its way. */
  | { readonly type: 'unknown'; readonly writer: number; readonly task: Task | null }
  | { readonly type: 'land'; readonly index: number }
  | { readonly type: 'crash'; readonly writer: number };

/** All writers claim under one name: only the nonce of the claim tells them apart. */
const WHO = 'same-name';

export function firstWorld(bounds: Bounds): World {
  const writers = Array.from({ length: bounds.writers }, (_, index) =>
    newWriter('ABC'.charAt(index), 1),
  );
  return { store: EMPTY_STORE, writers, late: [], left: bounds, ghost: EMPTY_GHOST };
}

export function newWriter(name: string, life: number): Writer {
  return {
    name,
    life,
    noncesUsed: 0,
    pending: null,
    hold: null,
    replica: null,
    epochSeen: 0,
    snapshotSeq: 0,
    isEnded: false,
  };
}

/** What a writer without a request under way may begin. */
export function tasksOf(world: World, writer: Writer): readonly Task[] {
  const { left } = world;
  if (writer.isEnded) return [];
  if (writer.hold === null) {
    if (left.claims === 0) return [];
    return writer.replica === null ? ['load'] : ['claim'];
  }
  const tasks: Task[] = [];
  const tailSeq = writer.hold.tailSeq;
  if (left.appends > 0) tasks.push('append');
  if (left.snapshots > 0 && tailSeq > writer.snapshotSeq) tasks.push('snapshot');
  if (left.trims > 0 && writer.snapshotSeq > 0) tasks.push('trim');
  return tasks;
}

export function begin(
  world: World,
  writer: Writer,
  task: Task,
): { readonly writer: Writer; readonly pending: Pending } {
  const nonce = `${writer.name}${writer.life}.${writer.noncesUsed}`;
  const next = { ...writer, noncesUsed: writer.noncesUsed + 1 };
  const step = firstStep(world, writer, task, nonce);
  if (step.type === 'done') throw new Error('every task begins with a request');
  return { writer: next, pending: step };
}

function firstStep(world: World, writer: Writer, task: Task, nonce: string): MachineStep {
  const replica = writer.replica ?? [];
  const hold = writer.hold ?? NO_HOLD;
  switch (task) {
    case 'load':
      return startLoad();
    case 'claim':
      return startClaim({
        tailSeq: replica.length,
        epoch: writer.epochSeen + 1,
        who: WHO,
        nonce,
      });
    case 'append':
      return startAppend(
        hold,
        hold.tailSeq + 1,
        PAYLOAD.subarray(0, world.left.payloadBytes),
        nonce,
      );
    case 'snapshot':
      return startSnapshot(hold, hold.tailSeq, snapshotBytes(replica), nonce);
    case 'trim':
      return startTrim(hold, writer.snapshotSeq);
    default:
      return task satisfies never;
  }
}

export type MachineStep =
  | ReturnType<typeof stepLoad>
  | ReturnType<typeof stepClaim>
  | ReturnType<typeof stepAppend>
  | ReturnType<typeof stepSnapshot>
  | ReturnType<typeof stepTrim>;

export function stepMachine(state: MachineState, answer: StoreAnswer): MachineStep {
  switch (state.type) {
    case 'load':
      return stepLoad(state, answer);
    case 'claim':
      return stepClaim(state, answer);
    case 'append':
      return stepAppend(state, answer);
    case 'snapshot':
      return stepSnapshot(state, answer);
    case 'trim':
      return stepTrim(state, answer);
    default:
      return state satisfies never;
  }
}

const NO_HOLD: Hold = { epoch: 0, nonce: '', epochRevision: 0, tailSeq: 0, tailRevision: 0 };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Every entry has the same bytes, so that nothing but nonce and epoch tells two apart. */
const PAYLOAD: Uint8Array = encoder.encode('x');

export function entryText(entry: { readonly epoch: number; readonly payload: Uint8Array }): string {
  return `${entry.epoch}${decoder.decode(entry.payload)}`;
}

export function snapshotBytes(replica: readonly string[]): Uint8Array {
  return encoder.encode(replica.join(' '));
}

export function snapshotReplica(bytes: Uint8Array | null): readonly string[] {
  return bytes === null ? [] : decoder.decode(bytes).split(' ');
}
