/** What follows from the death of a worker process. */
import { rangeLength, rangeText, type SampleRange } from '../base/range.ts';
import { addMs, type MonoMs } from '../base/units.ts';
import type { CrewEffect, WorkerEnd } from './crew-protocol.ts';
import type { Assignment, CrewState, Slot } from './crew-state.ts';
import {
  CRASHES_PER_BATCH_MAX,
  CRASHES_PER_SUSPECT_MAX,
  CRASHES_WITHOUT_PROGRESS_MAX,
  FAILED_STARTS_MAX,
  RESTART_WAIT_BASE_MS,
  RESTART_WAIT_MAX_MS,
} from './limits.ts';

export function onWorkerEnd(
  state: CrewState,
  effects: CrewEffect[],
  slot: Slot,
  end: WorkerEnd,
  nowMs: MonoMs,
): void {
  const { batch, leaseId, counts, phase } = slot;
  const neverReady = phase === 'starting' || (phase === 'dying' && leaseId === null);
  slot.phase = 'down';
  slot.leaseId = null;
  slot.batch = null;
  slot.counts = false;
  slot.startAtMs = addMs(nowMs, restartWaitMs(slot.deathsInARow));
  slot.deathsInARow += 1;
  const fields = {
    slot: slot.index,
    lease_id: leaseId,
    batch_start: batch?.start ?? null,
    batch_end: batch?.end ?? null,
    code: end.code,
    message: end.message,
  };
  effects.push({ type: 'fact', level: 'warn', event: 'worker_died', fields });
  if (state.failed) return;
  if (neverReady) {
    slot.failedStarts += 1;
    if (slot.failedStarts >= FAILED_STARTS_MAX) {
      fail(state, effects, { code: end.code, message: neverStarted(state, end) });
    }
    return;
  }
  const assignment = leaseId === null || !counts ? undefined : state.assignments.get(leaseId);
  if (assignment === undefined) return;
  if (state.winding) {
    state.assignments.delete(assignment.lease.leaseId);
    effects.push({ type: 'release', leaseId: assignment.lease.leaseId });
  } else judge(state, effects, assignment, batch, end);
}

/** What is known of the module already names it; of what ended a process while it loaded one, not. */
function neverStarted({ options: { jobFile } }: CrewState, { code, message }: WorkerEnd): string {
  const place =
    jobFile === null || code === 'job_module_invalid' ? '' : ` with job module ${jobFile}`;
  return `a worker could not be started${place}: ${message}`;
}

/** The first restart is immediate; a worker that dies again without a finished batch waits longer. */
function restartWaitMs(deathsInARow: number): number {
  if (deathsInARow === 0) return 0;
  return Math.min(RESTART_WAIT_MAX_MS, RESTART_WAIT_BASE_MS * 2 ** Math.min(deathsInARow - 1, 10));
}

function judge(
  state: CrewState,
  effects: CrewEffect[],
  assignment: Assignment,
  batch: SampleRange | null,
  end: WorkerEnd,
): void {
  const at = batch?.start ?? assignment.from;
  const crashes = (assignment.crashes.get(at) ?? 0) + 1;
  assignment.crashes.set(at, crashes);
  assignment.crashesSinceProgress += 1;
  const suspect = batch !== null && isSuspect(assignment, batch);
  const limit = suspect ? suspectLimit(state) : CRASHES_PER_BATCH_MAX;
  if (crashes >= limit) {
    if (batch === null) fail(state, effects, worded(end, crashes, `at sample ${at}, none in hand`));
    else convict(state, effects, assignment, batch, suspect, crashes, end);
  } else if (assignment.crashesSinceProgress >= CRASHES_WITHOUT_PROGRESS_MAX) {
    const where = `after sample ${assignment.from} without getting on`;
    fail(state, effects, worded(end, assignment.crashesSinceProgress, where));
  }
}

/** One sample, tried alone because a batch with it crashed too often. */
function isSuspect(assignment: Assignment, batch: SampleRange): boolean {
  const { singly } = assignment;
  return (
    singly !== null &&
    rangeLength(batch) === 1 &&
    batch.start >= singly.start &&
    batch.end <= singly.end
  );
}

/** When it only has to be named, once is enough; before it is left out, it gets another chance. */
function suspectLimit(state: CrewState): number {
  return state.options.onError === 'fail' ? 1 : CRASHES_PER_SUSPECT_MAX;
}

function convict(
  state: CrewState,
  effects: CrewEffect[],
  assignment: Assignment,
  batch: SampleRange,
  suspect: boolean,
  crashes: number,
  end: WorkerEnd,
): void {
  const single = suspect || rangeLength(batch) === 1;
  const samples = single ? `sample ${batch.start}` : `samples ${rangeText(batch)}`;
  const words = worded(end, crashes, `with ${samples} in hand`);
  // To find the one among many that stands still would cost a stall budget for each.
  const naming = end.code !== 'process_stalled' || state.options.onError === 'quarantine';
  if (!single && naming) {
    assignment.singly = batch;
    // Those of its samples that pass alone must not be tried again when a later one ends the worker.
    for (const start of assignment.crashes.keys()) {
      if (start >= batch.start && start < batch.end) assignment.crashes.delete(start);
    }
    return;
  }
  if (state.options.onError === 'fail') {
    fail(state, effects, words);
    return;
  }
  assignment.poisoned.push({ sampleId: batch.start, code: words.code, message: words.message });
  assignment.crashes.delete(batch.start);
  assignment.crashesSinceProgress = 0;
}

function worded(end: WorkerEnd, times: number, where: string): WorkerEnd {
  const often = times === 1 ? '' : ` ${times} times`;
  return { code: end.code, message: `a worker process ended${often} ${where}: ${end.message}` };
}

function fail(state: CrewState, effects: CrewEffect[], end: WorkerEnd): void {
  state.failed = true;
  effects.push({ type: 'fail', code: end.code, message: end.message });
}
