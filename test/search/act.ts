/** What can happen next in a world, and what becomes of it. */
import type { StoreAnswer, StoreTransaction } from '../../src/core/log/store-protocol.ts';
import { checkLeads, checkLoaded, noteAnswered, noteFailed, noteWon, observe } from './ghost.ts';
import { transact } from './model-store.ts';
import {
  type Action,
  begin,
  entryText,
  type MachineState,
  newWriter,
  type Pending,
  snapshotReplica,
  stepMachine,
  tasksOf,
  type World,
  type Writer,
} from './world.ts';

export function actionsOf(world: World): readonly Action[] {
  const actions: Action[] = [];
  const { left } = world;
  world.writers.forEach((writer, index) => {
    const tasks = writer.pending === null ? tasksOf(world, writer) : [null];
    for (const task of tasks) {
      actions.push({ type: 'answer', writer: index, task });
      // A read that got no answer is repeated as it was: nothing comes of it. Only appends begin with a write.
      const isWrite = task === null ? isWriting(writer.pending) : task === 'append';
      if (left.unknowns > 0 && isWrite) {
        actions.push({ type: 'unknown', writer: index, task });
      }
    }
    const hasBegun = writer.noncesUsed > 0;
    if (left.crashes > 0 && hasBegun) actions.push({ type: 'crash', writer: index });
  });
  world.late.forEach((_, index) => actions.push({ type: 'land', index }));
  return actions;
}

function isWriting(pending: Pending | null): boolean {
  return pending?.transaction.then.some((operation) => operation.type !== 'get') ?? false;
}

/** Throws `Violation`, or what a machine throws, when the protocol is wrong. */
export function act(world: World, action: Action): World {
  switch (action.type) {
    case 'answer':
    case 'unknown':
      return request(world, action);
    case 'land': {
      const transaction = world.late[action.index];
      if (transaction === undefined) throw new Error('nothing is on its way there');
      const late = world.late.filter((_, index) => index !== action.index);
      return applied({ ...world, late }, transaction).world;
    }
    case 'crash': {
      const { name, life } = writerAt(world, action.writer);
      const left = { ...world.left, crashes: world.left.crashes - 1 };
      return withWriter({ ...world, left }, action.writer, newWriter(name, life + 1));
    }
    default:
      return action satisfies never;
  }
}

function request(world: World, action: Extract<Action, { type: 'answer' | 'unknown' }>): World {
  const { writer, pending, left } = begun(world, action);
  const moved = { ...withWriter(world, action.writer, writer), left };
  if (action.type === 'unknown') {
    const unknowns = left.unknowns - 1;
    const late = [...world.late, pending.transaction];
    const next = { ...moved, late, left: { ...left, unknowns } };
    return stepped(next, action.writer, pending.state, { type: 'unknown' });
  }
  const { world: next, answer } = applied(moved, pending.transaction);
  return stepped(next, action.writer, pending.state, answer);
}

function begun(world: World, action: Extract<Action, { type: 'answer' | 'unknown' }>) {
  const writer = writerAt(world, action.writer);
  const { left } = world;
  if (action.task === null) {
    if (writer.pending === null) throw new Error('the writer waits for nothing');
    return { writer, pending: writer.pending, left };
  }
  const { task } = action;
  const counted = {
    ...left,
    claims: left.claims - (task === 'claim' ? 1 : 0),
    appends: left.appends - (task === 'append' ? 1 : 0),
    snapshots: left.snapshots - (task === 'snapshot' ? 1 : 0),
    trims: left.trims - (task === 'trim' ? 1 : 0),
  };
  return { ...begin(world, writer, task), left: counted };
}

function applied(
  world: World,
  transaction: StoreTransaction,
): { readonly world: World; readonly answer: StoreAnswer } {
  const { store, answer } = transact(world.store, transaction);
  const ghost = observe(world.ghost, world.store, store);
  return { world: { ...world, store, ghost }, answer };
}

function stepped(world: World, index: number, state: MachineState, answer: StoreAnswer): World {
  const writer = writerAt(world, index);
  const step = stepMachine(state, answer);
  if (step.type === 'send') {
    const pending = { state: step.state, transaction: step.transaction };
    return withWriter(world, index, { ...writer, pending });
  }
  return finished(world, index, { ...writer, pending: null }, state, step.result);
}

type Result = Extract<ReturnType<typeof stepMachine>, { type: 'done' }>['result'];

function finished(
  world: World,
  index: number,
  writer: Writer,
  state: MachineState,
  result: Result,
): World {
  if (!('type' in result)) {
    const replica = [...snapshotReplica(result.snapshot), ...result.entries.map(entryText)];
    checkLoaded(world.ghost, replica);
    const { epoch, snapshotSeq } = result;
    return withWriter(world, index, { ...writer, replica, epochSeen: epoch, snapshotSeq });
  }
  switch (result.type) {
    case 'won': {
      const { hold } = result;
      const ghost = noteWon(world.ghost, world.store, hold.epoch, hold.nonce);
      const replica = [...(writer.replica ?? []), `${hold.epoch}`];
      return withWriter({ ...world, ghost }, index, { ...writer, hold, replica });
    }
    case 'lost':
      return withWriter(world, index, { ...writer, replica: null });
    case 'ok': {
      const next = succeeded(world, index, writer, state, result);
      if ('hold' in state) checkLeads(world.store, state.hold.nonce, `the ${state.type}`);
      return next;
    }
    case 'fenced': {
      const ghost =
        state.type === 'append' ? noteFailed(world.ghost, state.identity.nonce) : world.ghost;
      return withWriter({ ...world, ghost }, index, { ...writer, isEnded: true });
    }
    case 'overtaken':
      return withWriter(world, index, { ...writer, isEnded: true });
    default:
      return result satisfies never;
  }
}

function succeeded(
  world: World,
  index: number,
  writer: Writer,
  state: MachineState,
  result: Extract<Result, { type: 'ok' }>,
): World {
  if (state.type === 'snapshot') {
    return withWriter(world, index, { ...writer, snapshotSeq: state.upToSeq });
  }
  if (state.type !== 'append' || !('tailRevision' in result))
    return withWriter(world, index, writer);
  const { seq, epoch, nonce } = state.identity;
  const ghost = noteAnswered(world.ghost, world.store, seq, nonce);
  const hold = { ...state.hold, tailSeq: seq, tailRevision: result.tailRevision };
  const replica = [...(writer.replica ?? []), entryText({ epoch, payload: state.payload })];
  return withWriter({ ...world, ghost }, index, { ...writer, hold, replica });
}

function writerAt(world: World, index: number): Writer {
  const writer = world.writers[index];
  if (writer === undefined) throw new Error(`there is no writer ${index}`);
  return writer;
}

function withWriter(world: World, index: number, writer: Writer): World {
  return { ...world, writers: world.writers.map((each, at) => (at === index ? writer : each)) };
}
