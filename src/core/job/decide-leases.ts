/** Decisions about leases: granting one, progress, commits, release, expiry. */
import { refused, type Refusal } from '../base/errors.ts';
import { addMs, isLeaseId } from '../base/units.ts';
import { complete } from './complete-job.ts';
import type { JobState, LeaseState, NodeState } from './job-state.ts';
import type { Command, Lease, LeaseFact, Reply } from './protocol.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;

/** The next range in the order for this node; null when all work is held, or done. */
export function grantNext(tx: Transaction, job: JobState, node: NodeState): Lease | null {
  const range = job.work.next(node.rank);
  if (range === null) return null;
  const id = tx.emit({
    type: 'lease_granted',
    job: job.spec.jobId,
    node: node.nodeId,
    start: range.start,
    end: range.end,
  });
  const { start, end } = range;
  const { nodeId } = node;
  tx.fact({ event: 'lease_granted', jobId: job.spec.jobId, nodeId, leaseId: id, start, end });
  return { leaseId: id, nodeId, range, cursor: start };
}

export function reportProgress(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  command: Of<'progress'>,
): Reply {
  const found = findLease(job, node, command.leaseId);
  if (found.type === 'refused') return found;
  if (found.type === 'finished') {
    if (command.cursor === found.end) return accepted(found.end, found.end, true);
    return unknownLease(job, command.leaseId);
  }
  const { lease } = found;
  const outside = cursorOutside(lease, command.cursor, 'cursor');
  if (outside !== null) return outside;
  // A job with outputs counts work by its commits: a report only says how far delivery is.
  const furthest = job.spec.commitsOutputs ? lease.deliveredCursor : lease.cursor;
  if (command.cursor < furthest) return regressed(tx, job, lease, command.cursor, furthest);
  if (job.spec.commitsOutputs && command.instanceId === null) {
    const message = `job ${job.spec.jobId} commits outputs: mx8.v0 progress cannot complete its work`;
    return refused('job_commits_outputs', message);
  }
  renew(tx, job, lease);
  const { deliveredCursor } = lease;
  if (command.cursor === furthest) return accepted(furthest, lease.end, true);
  if (job.spec.commitsOutputs) {
    lease.deliveredCursor = command.cursor;
    lease.movedMs = tx.context.nowMs;
  } else {
    const { jobId } = job.spec;
    tx.emit({ type: 'progress', job: jobId, lease: lease.leaseId, cursor: command.cursor });
  }
  tx.fact({ ...leaseFact(job, lease), event: 'progress', cursor: command.cursor });
  noteCompletion(tx, job, lease);
  noteMove(tx, node, lease, deliveredCursor);
  return accepted(command.cursor, lease.end, false);
}

/** Most leases of one renewal, so that neither it nor its step gets long; a node has no more of them (`WANT_MAX`). */
export const RENEWED_MAX = 1024;

/**
 * The node has nothing to tell of these leases but that it holds them. One that has finished is still answered for:
 * who has not heard of that asks for the answer to its last commit again.
 */
export function renewLeases(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  { leaseIds }: Of<'renew'>,
): Reply {
  if (leaseIds.length > RENEWED_MAX) {
    const message = `field lease_ids takes at most ${RENEWED_MAX} leases, got ${leaseIds.length}`;
    return refused('field_invalid', message);
  }
  const ends = leaseIds.map((id) => {
    const found = findLease(job, node, id);
    if (found.type === 'refused') return null;
    if (found.type === 'finished') return found.end;
    renew(tx, job, found.lease);
    return found.lease.end;
  });
  return { type: 'renewed', ends };
}

export function commitOutput(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  command: Of<'commit'>,
): Reply {
  const found = findLease(job, node, command.leaseId);
  if (found.type === 'refused') return found;
  if (found.type === 'finished') {
    if (command.end === found.end && command.start === found.lastCommitStart) {
      return accepted(found.end, found.end, true);
    }
    return unknownLease(job, command.leaseId);
  }
  const { lease } = found;
  if (command.start === lease.lastCommitStart && command.end === lease.cursor) {
    renew(tx, job, lease);
    return accepted(lease.cursor, lease.end, true);
  }
  const bad = commitRefusal(job, lease, command);
  if (bad !== null) return bad;
  renew(tx, job, lease);
  endOther(tx, job, lease);
  const { deliveredCursor } = lease;
  tx.emit({
    type: 'committed',
    job: job.spec.jobId,
    lease: lease.leaseId,
    start: command.start,
    end: command.end,
    rows: command.rows,
    bytes: command.bytes,
    ...(command.inputBytes === undefined ? {} : { inputBytes: command.inputBytes }),
    quarantined: command.quarantined,
  });
  const fact = leaseFact(job, lease);
  const { start: from, end: to, rows } = command;
  tx.fact({ ...fact, event: 'output_committed', from, to, rows });
  for (const sampleId of command.quarantined)
    tx.fact({ event: 'sample_quarantined', ...fact, sampleId });
  noteCompletion(tx, job, lease);
  noteMove(tx, node, lease, deliveredCursor);
  return accepted(command.end, lease.end, false);
}

/** Of a lease and its double the first to commit goes on with all that is left. */
function endOther(tx: Transaction, job: JobState, lease: LeaseState): void {
  const other = job.leases.get(lease.doubledBy ?? lease.doubles ?? lease.leaseId);
  if (other === undefined || other === lease) return;
  const { leaseId, cursor } = other;
  const [by, why] = [lease.leaseId, 'overtaken'] as const;
  tx.emit({ type: 'lease_superseded', job: job.spec.jobId, lease: leaseId, by, why });
  const reason = `node ${lease.nodeId} committed what follows ${cursor} first`;
  tx.fact({ event: 'lease_superseded', ...leaseFact(job, other), cursor, reason });
}

function commitRefusal(job: JobState, lease: LeaseState, command: Of<'commit'>): Refusal | null {
  if (!job.spec.commitsOutputs) {
    return refused('field_invalid', `job ${job.spec.jobId} has no outputs to commit`);
  }
  const outside = cursorOutside(lease, command.end, 'end');
  if (outside !== null) return outside;
  if (command.start !== lease.cursor || command.end <= command.start) {
    return refused(
      'commit_mismatch',
      `a commit on lease ${lease.leaseId} starts at its cursor ${lease.cursor} and is not empty, got [${command.start}, ${command.end})`,
    );
  }
  let previous = command.start - 1;
  for (const id of command.quarantined) {
    if (!(Number.isSafeInteger(id) && id > previous && id < command.end)) {
      const where = `[${command.start}, ${command.end})`;
      return refused('field_invalid', `quarantined ids ascend inside ${where}, got ${id}`);
    }
    previous = id;
  }
  return null;
}

export function releaseLease(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  command: Of<'release'>,
): Reply {
  const found = findLease(job, node, command.leaseId);
  if (found.type === 'refused') {
    // Released before, expired or finished: it is not held any more, which is what was asked for.
    return found.code === 'lease_unknown' ? { type: 'ok' } : found;
  }
  if (found.type === 'live') returnLease(tx, job, found.lease, 'released', '');
  node.pace.note(node.leases.size > 0, tx.context.nowMs);
  return { type: 'ok' };
}

/** Ends a lease before its range does; the remainder is available, or its double's. */
export function returnLease(
  tx: Transaction,
  job: JobState,
  lease: LeaseState,
  why: 'expired' | 'released' | 'revoked',
  reason: string,
): void {
  const { cursor, end, leaseId } = lease;
  const by = lease.doubledBy ?? lease.doubles;
  const record = { job: job.spec.jobId, lease: leaseId, why };
  if (by === null) tx.emit({ type: 'lease_returned', ...record });
  else tx.emit({ type: 'lease_superseded', ...record, by });
  const fact = { ...leaseFact(job, lease), cursor };
  if (why === 'expired') tx.fact({ event: 'lease_expired', ...fact });
  else if (why === 'released') tx.fact({ event: 'lease_released', ...fact });
  else tx.fact({ event: 'lease_revoked', ...fact, reason });
  if (by === null) tx.fact({ event: 'range_requeued', jobId: job.spec.jobId, start: cursor, end });
}

/** Returns every lease whose deadline has passed. Looks only at those. */
export function expireLeases(tx: Transaction, job: JobState): void {
  for (const lease of job.leases.values()) {
    if (lease.deadlineMs > tx.context.nowMs) break;
    returnLease(tx, job, lease, 'expired', '');
  }
}

export function asLease(lease: LeaseState): Lease {
  return {
    leaseId: lease.leaseId,
    nodeId: lease.nodeId,
    range: { start: lease.start, end: lease.end },
    cursor: lease.cursor,
  };
}

/** Spread it first in a fact: an object that begins with another's fields is made in a third of the time. */
export function leaseFact(
  job: JobState,
  { leaseId, nodeId, start, end }: Pick<LeaseState, 'leaseId' | 'nodeId' | 'start' | 'end'>,
): LeaseFact {
  return { jobId: job.spec.jobId, nodeId, leaseId, start, end };
}

type Found =
  | Refusal
  | { readonly type: 'live'; readonly lease: LeaseState }
  | { readonly type: 'finished'; readonly end: number; readonly lastCommitStart: number };

function findLease(job: JobState, node: NodeState, id: string): Found {
  if (!isLeaseId(id))
    return refused('lease_unknown', `"${id}" names no lease of job ${job.spec.jobId}`);
  const lease = job.leases.get(id);
  const owner = lease ?? job.finished.get(id);
  if (owner === undefined) return unknownLease(job, id);
  if (owner.nodeId !== node.nodeId) {
    const message = `lease ${id} is owned by node ${owner.nodeId}, not by ${node.nodeId}`;
    return refused('lease_not_owned', message);
  }
  if (lease !== undefined) return { type: 'live', lease };
  const finished = job.finished.get(id);
  if (finished === undefined) return unknownLease(job, id);
  return { type: 'finished', end: finished.end, lastCommitStart: finished.lastCommitStart };
}

function unknownLease(job: JobState, id: string): Refusal {
  const message = `lease ${id} of job ${job.spec.jobId} is not live: it expired, was revoked, or ended`;
  return refused('lease_unknown', message);
}

function cursorOutside(lease: LeaseState, cursor: number, field: string): Refusal | null {
  if (Number.isSafeInteger(cursor) && cursor >= lease.start && cursor <= lease.end) return null;
  const range = `[${lease.start}, ${lease.end}]`;
  return refused(
    'cursor_outside',
    `field ${field} lies in ${range} of lease ${lease.leaseId}, got ${cursor}`,
  );
}

function regressed(
  tx: Transaction,
  job: JobState,
  lease: LeaseState,
  reported: number,
  furthest: number,
): Refusal {
  const fact = leaseFact(job, lease);
  tx.fact({ event: 'cursor_regressed', ...fact, cursor: furthest, reported });
  const message = `the cursor of lease ${lease.leaseId} stands at ${furthest} and does not move back to ${reported}`;
  return refused('cursor_regressed', message);
}

export function renew(tx: Transaction, job: JobState, lease: LeaseState): void {
  const { nowMs } = tx.context;
  job.renew(lease, nowMs, addMs(nowMs, job.spec.leaseTtlMs));
  job.node(lease.nodeId).pace.note(true, nowMs);
}

function noteCompletion(tx: Transaction, job: JobState, lease: LeaseState): void {
  if (job.leases.has(lease.leaseId)) return;
  tx.fact({ ...leaseFact(job, lease), event: 'lease_completed' });
  if (!job.drained) return;
  const { committed, quarantined } = job.work;
  const { jobId } = job.spec;
  tx.fact({ event: 'job_drained', jobId, committed, quarantined });
  if (job.spec.commitsOutputs) return;
  // Nothing is left to publish: a job without outputs is complete when it is drained.
  complete(tx, job, null);
}

/** What the node's report or commit added to what it was known to have delivered before. */
function noteMove(tx: Transaction, node: NodeState, lease: LeaseState, before: number): void {
  const { nowMs } = tx.context;
  node.pace.moved(lease.deliveredCursor - before, nowMs);
  node.pace.note(node.leases.size > 0, nowMs);
}

function accepted(cursor: number, end: number, repeated: boolean): Reply {
  return { type: 'accepted', cursor, repeated, end };
}
