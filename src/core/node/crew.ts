/**
 * Supervision of worker processes, as a pure state machine: which worker goes on with which lease, what
 * happens when one dies, stands still, or dies again and again with the same samples in hand.
 *
 * A worker that dies is started again and the rest of its lease, after the last staged piece, goes on.
 * A worker that finishes no batch for the stall budget is killed, which is the same from there on; its
 * heartbeats would prove nothing, so there are none. Deaths are counted by the batch in hand: at the
 * limit its samples are tried one at a time, which names the one that ends the worker. Then the policy
 * decides: the job fails with its name, or it is quarantined and the lease goes on without it.
 */
import { assert } from '../base/assert.ts';
import { rangeText } from '../base/range.ts';
import { elapsedMs, monoMs, type LeaseId, type MonoMs } from '../base/units.ts';
import { onWorkerEnd } from './crew-deaths.ts';
import type { CrewEffect, CrewEvent, WorkerEnd } from './crew-protocol.ts';
import { Assignment, CrewState, type CrewOptions, type Slot } from './crew-state.ts';
import { STOP_GRACE_MS } from './limits.ts';

export function newCrew(options: CrewOptions, nowMs: MonoMs): CrewState {
  assert(Number.isSafeInteger(options.workers) && options.workers > 0, 'there is a worker');
  assert(options.stallTimeoutMs > 0, 'the stall budget is positive');
  return new CrewState(options, nowMs);
}

export function stepCrew(state: CrewState, event: CrewEvent, nowMs: MonoMs): readonly CrewEffect[] {
  const effects: CrewEffect[] = [];
  handle(state, effects, event, nowMs);
  killStalled(state, effects, nowMs);
  startDue(state, effects, nowMs);
  assign(state, effects, nowMs);
  return effects;
}

/** When to send the next `tick`; null when nothing is due. */
export function crewWakeMs(state: CrewState): MonoMs | null {
  let wake = Infinity;
  for (const slot of state.slots) {
    if (slot.phase === 'down' && needsWorkers(state)) wake = Math.min(wake, slot.startAtMs);
    else if (isWatched(slot)) {
      wake = Math.min(wake, slot.movedAtMs + budgetMs(state, slot));
    }
  }
  return wake === Infinity ? null : monoMs(wake);
}

function handle(state: CrewState, effects: CrewEffect[], event: CrewEvent, nowMs: MonoMs): void {
  switch (event.type) {
    case 'lease_started':
      state.assignments.set(event.lease.leaseId, new Assignment(event.lease));
      if (state.winding) giveBack(state, effects, event.lease.leaseId);
      return;
    case 'lease_gone':
      onLeaseGone(state, effects, event.leaseId, nowMs);
      return;
    case 'lease_shortened':
      onShortened(state, effects, event.leaseId, event.end, nowMs);
      return;
    case 'wind_down':
      windDown(state, effects);
      return;
    case 'tick':
      return;
    case 'worker_ready': {
      const slot = current(state, event.slot, event.incarnation);
      if (slot?.phase !== 'starting') return;
      slot.phase = 'idle';
      slot.failedStarts = 0;
      return;
    }
    case 'worker_exited': {
      const slot = current(state, event.slot, event.incarnation);
      if (slot === null || slot.phase === 'down') return;
      onWorkerEnd(state, effects, slot, slot.killedFor ?? event.end, nowMs);
      return;
    }
    case 'worker_failed': {
      const slot = current(state, event.slot, event.incarnation);
      if (slot === null || state.failed) return;
      // Work on a lease that was lost may fail because others have gone on without it.
      if (event.workId !== null && (event.workId !== slot.workId || !slot.counts)) return;
      state.failed = true;
      effects.push({ type: 'fail', code: event.end.code, message: event.end.message });
      return;
    }
    default:
      handleWork(state, effects, event, nowMs);
  }
}

type WorkEvent = Extract<
  CrewEvent,
  { type: 'batch_begun' | 'batch_done' | 'piece_staged' | 'work_done' }
>;

function handleWork(
  state: CrewState,
  effects: CrewEffect[],
  event: WorkEvent,
  nowMs: MonoMs,
): void {
  const slot = state.slotOf(event.workId);
  if (slot === undefined || slot.leaseId === null || slot.phase === 'dying') return;
  const assignment = slot.counts ? state.assignments.get(slot.leaseId) : undefined;
  switch (event.type) {
    case 'batch_begun':
      slot.batch = { start: event.start, end: event.end };
      if (isBeyond(assignment, event.end)) overrun(state, effects, slot, nowMs);
      return;
    case 'batch_done': {
      slot.batch = null;
      slot.movedAtMs = nowMs;
      slot.deathsInARow = 0;
      if (assignment === undefined) return;
      const { cursor, samples, bytes } = event;
      effects.push({ type: 'delivered', leaseId: slot.leaseId, cursor, samples, bytes });
      if (!state.options.stages) assignment.advance(cursor);
      return;
    }
    case 'piece_staged': {
      if (assignment === undefined) return;
      const { piece } = event;
      if (isBeyond(assignment, piece.end)) return overrun(state, effects, slot, nowMs);
      const here = `piece ${rangeText(piece)} follows ${assignment.from}`;
      assert(piece.leaseId === slot.leaseId && piece.start === assignment.from, here);
      assignment.advance(piece.end);
      effects.push({ type: 'piece_staged', piece });
      return;
    }
    case 'work_done':
      onWorkDone(state, effects, slot, assignment);
      return;
    default:
      event satisfies never;
  }
}

function onWorkDone(
  state: CrewState,
  effects: CrewEffect[],
  slot: Slot,
  assignment: Assignment | undefined,
): void {
  const { leaseId } = slot;
  slot.phase = 'idle';
  slot.leaseId = null;
  slot.batch = null;
  slot.counts = false;
  if (assignment === undefined || leaseId === null) return;
  if (assignment.from === assignment.lease.range.end) state.assignments.delete(leaseId);
  else if (state.winding) giveBack(state, effects, leaseId);
}

/** The process that `incarnation` names, unless another has taken its place. */
function current(state: CrewState, index: number, incarnation: number): Slot | null {
  const slot = state.slots[index];
  return slot !== undefined && slot.incarnation === incarnation ? slot : null;
}

function onLeaseGone(
  state: CrewState,
  effects: CrewEffect[],
  leaseId: LeaseId,
  nowMs: MonoMs,
): void {
  state.assignments.delete(leaseId);
  const slot = state.slotWith(leaseId);
  if (slot === undefined) return;
  slot.counts = false;
  if (slot.phase !== 'busy') return;
  slot.phase = 'stopping';
  slot.movedAtMs = nowMs;
  effects.push({ type: 'stop_work', slot: slot.index, workId: slot.workId, flush: false });
}

/**
 * The rest of the lease is another node's. What is done is staged, and the worker goes on from there up to
 * the new end, for it may have batches in hand that lie across it.
 */
function onShortened(
  state: CrewState,
  effects: CrewEffect[],
  leaseId: LeaseId,
  end: number,
  nowMs: MonoMs,
): void {
  const assignment = state.assignments.get(leaseId);
  if (assignment === undefined) return;
  const { range } = assignment.lease;
  assert(assignment.from <= end, 'what is staged is not beyond the end of its lease');
  assignment.lease = { ...assignment.lease, range: { start: range.start, end } };
  const slot = state.slotWith(leaseId);
  if (slot === undefined || !slot.counts) return;
  if (slot.batch !== null && isBeyond(assignment, slot.batch.end)) {
    overrun(state, effects, slot, nowMs);
  } else if (slot.phase === 'busy') {
    slot.phase = 'stopping';
    effects.push({ type: 'stop_work', slot: slot.index, workId: slot.workId, flush: true });
  }
}

function isBeyond(assignment: Assignment | undefined, end: number): boolean {
  return assignment !== undefined && end > assignment.lease.range.end;
}

/** The worker heard too late that its lease got shorter: what it has in hand cannot count any more. */
function overrun(state: CrewState, effects: CrewEffect[], slot: Slot, nowMs: MonoMs): void {
  const { leaseId } = slot;
  if (leaseId === null) return;
  effects.push({
    type: 'fact',
    level: 'info',
    event: 'lease_overrun',
    fields: { lease_id: leaseId },
  });
  giveBack(state, effects, leaseId);
  onLeaseGone(state, effects, leaseId, nowMs);
}

function windDown(state: CrewState, effects: CrewEffect[]): void {
  if (state.winding) return;
  state.winding = true;
  for (const leaseId of [...state.assignments.keys()]) {
    const slot = state.slotWith(leaseId);
    if (slot === undefined || !slot.counts) giveBack(state, effects, leaseId);
    else if (slot.phase === 'busy') {
      slot.phase = 'stopping';
      effects.push({ type: 'stop_work', slot: slot.index, workId: slot.workId, flush: true });
    }
  }
}

function giveBack(state: CrewState, effects: CrewEffect[], leaseId: LeaseId): void {
  state.assignments.delete(leaseId);
  effects.push({ type: 'release', leaseId });
}

/** True while a standstill of the worker counts against the stall budget. */
function isWatched(slot: Slot): boolean {
  return slot.phase === 'starting' || slot.phase === 'busy' || slot.phase === 'stopping';
}

/** How long it may stand still. */
function budgetMs({ options }: CrewState, slot: Slot): number {
  return isLeftBehind(slot)
    ? Math.min(options.stallTimeoutMs, STOP_GRACE_MS)
    : options.stallTimeoutMs;
}

/** True of a worker that has yet to stop with a lease that was taken away. */
function isLeftBehind(slot: Slot): boolean {
  return slot.phase === 'stopping' && !slot.counts;
}

function killStalled(state: CrewState, effects: CrewEffect[], nowMs: MonoMs): void {
  for (const slot of state.slots) {
    const stallTimeoutMs = budgetMs(state, slot);
    if (!isWatched(slot) || elapsedMs(slot.movedAtMs, nowMs) < stallTimeoutMs) continue;
    slot.killedFor = stalledEnd(state.options, slot, stallTimeoutMs);
    slot.phase = 'dying';
    effects.push({ type: 'kill', slot: slot.index, incarnation: slot.incarnation });
    const fields = {
      slot: slot.index,
      lease_id: slot.leaseId,
      stall_timeout_ms: stallTimeoutMs,
      batch_start: slot.batch?.start ?? null,
    };
    effects.push({ type: 'fact', level: 'warn', event: 'worker_stalled', fields });
  }
}

function stalledEnd({ jobFile }: CrewOptions, slot: Slot, stallTimeoutMs: number): WorkerEnd {
  if (slot.phase === 'starting' && jobFile !== null) {
    const message = `job module ${jobFile} did not finish loading within the stall budget of ${stallTimeoutMs} ms; let it work inside process() instead of at its top level`;
    return { code: 'job_module_invalid', message };
  }
  return { code: 'process_stalled', message: stallSentence(slot, stallTimeoutMs) };
}

function stallSentence(slot: Slot, stallTimeoutMs: number): string {
  if (isLeftBehind(slot)) {
    return `it did not stop within ${stallTimeoutMs} ms after its lease was taken away`;
  }
  if (slot.phase === 'starting') {
    return `a worker did not get ready within the stall budget of ${stallTimeoutMs} ms`;
  }
  const where =
    slot.batch === null
      ? 'while reading'
      : `process() with samples ${rangeText(slot.batch)} in hand`;
  return `no batch was finished within the stall budget of ${stallTimeoutMs} ms: ${where} did not return`;
}

function needsWorkers(state: CrewState): boolean {
  return !state.failed && !state.winding;
}

function startDue(state: CrewState, effects: CrewEffect[], nowMs: MonoMs): void {
  if (!needsWorkers(state)) return;
  for (const slot of state.slots) {
    if (slot.phase !== 'down' || nowMs < slot.startAtMs) continue;
    slot.phase = 'starting';
    slot.incarnation += 1;
    slot.movedAtMs = nowMs;
    slot.killedFor = null;
    effects.push({ type: 'spawn', slot: slot.index, incarnation: slot.incarnation });
  }
}

function assign(state: CrewState, effects: CrewEffect[], nowMs: MonoMs): void {
  if (!needsWorkers(state)) return;
  for (const slot of state.slots) {
    if (slot.phase !== 'idle') continue;
    const next = nextUnassigned(state);
    if (next === null) return;
    const { leaseId, range } = next.lease;
    slot.phase = 'busy';
    slot.leaseId = leaseId;
    slot.workId = state.nextWorkId;
    state.nextWorkId += 1;
    slot.counts = true;
    slot.movedAtMs = nowMs;
    const { attempt, singly } = next;
    next.attempt += 1;
    const order = {
      workId: slot.workId,
      leaseId,
      start: next.from,
      end: range.end,
      attempt,
      singly,
      poisoned: [...next.poisoned],
    };
    effects.push({ type: 'start_work', slot: slot.index, order });
  }
}

/** A lease that no worker has in hand, not even one that has yet to stop working on it. */
function nextUnassigned(state: CrewState): Assignment | null {
  for (const [leaseId, assignment] of state.assignments) {
    if (assignment.from === assignment.lease.range.end) continue;
    if (state.slotWith(leaseId) === undefined) return assignment;
  }
  return null;
}
