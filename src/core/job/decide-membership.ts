/**
 * Decisions about nodes: registration, the membership barrier, ranks, departure and return.
 *
 * Before the barrier (min_world_size nodes) ranks are handed out in order of registration; after it a
 * node keeps its rank until it leaves or is not heard of for a lease TTL while holding no lease. A
 * free rank goes to the next new node (replacement, scale-out up to world_size). A node that comes
 * back under its id keeps its rank; a new process under that id is let in once the old one is gone.
 */
import { refused, type Refusal } from '../base/errors.ts';
import { elapsedMs, jobId, type MonoMs } from '../base/units.ts';
import { checkpointMismatch, decodeCheckpoint } from './checkpoint.ts';
import { complete } from './complete-job.ts';
import { returnLease } from './decide-leases.ts';
import type { JobState, NodeState } from './job-state.ts';
import { isUntuned } from './operations.ts';
import type { Command, NodeCaps, Reply } from './protocol.ts';
import { registered } from './snapshot-view.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;

export function registerNode(tx: Transaction, command: Of<'register'>): Reply {
  const job = findOrAdopt(tx, command);
  if ('type' in job) return job;
  const stranger = formerNode(job, command);
  if (stranger !== null) return stranger;
  const known = job.nodes.get(command.nodeId);
  if (!isWaiting(job, known, command)) job.counters.registerTotal += 1;
  const entry = known === undefined ? admission(job) : returning(tx, job, known, command);
  if (typeof entry !== 'number') return entry;
  const resumed = resume(tx, job, command.resumeFrom);
  if (resumed !== null) return resumed;
  if (known === undefined || !sameRegistration(known, command)) {
    tx.emit({
      type: 'node_registered',
      job: job.spec.jobId,
      node: command.nodeId,
      instance: command.instanceId,
      rank: entry,
      caps: command.caps,
      atUnixMs: tx.context.nowUnixMs,
    });
    const { nodeId } = command;
    tx.fact({ event: 'node_registered', jobId: job.spec.jobId, nodeId, rank: entry });
  }
  const node = job.node(command.nodeId);
  heard(node, tx.context.nowMs);
  // What an operator said while it was away, or before a fail-over, is said to it again.
  if (node.draining) {
    tx.fact({ event: 'node_draining', jobId: job.spec.jobId, nodeId: node.nodeId });
  }
  if (!isUntuned(node.tuning)) tuned(tx, job, node);
  passBarrier(tx, job, known === undefined);
  if (job.ready || command.instanceId === null) job.waiting.delete(command.nodeId);
  else job.waiting.add(command.nodeId);
  return registered(job, entry);
}

/** It is registered, and only asks whether the others are by now. */
function isWaiting(
  job: JobState,
  known: NodeState | undefined,
  { instanceId }: Of<'register'>,
): boolean {
  return !job.ready && instanceId !== null && known?.instanceId === instanceId;
}

/** The job of that id, or the one that waits to take the id of its first node. */
function findOrAdopt(tx: Transaction, { jobId: id, jobToken }: Of<'register'>): JobState | Refusal {
  const found = tx.state.jobs.get(id);
  if (found !== undefined) return found;
  // It worked on a job of this id: that one did not wait for a name.
  if (jobToken !== undefined) return unknownJob(id);
  for (const job of tx.state.jobs.values()) {
    if (!job.spec.adoptsFirstJobId) continue;
    tx.emit({ type: 'job_adopted', job: job.spec.jobId, newJob: jobId(id) });
    return job;
  }
  return unknownJob(id);
}

/** Why a node has nothing to say here that was let in to a job that had this name before; null for all others. */
export function formerNode(
  job: JobState,
  { jobId: id, jobToken }: Of<'register' | 'fail_job'>,
): Refusal | null {
  if (jobToken === undefined || job.token === null || job.token === jobToken) return null;
  const message = `the job "${id}" that this node worked on was forgotten, and the one of that name is another; start the agent anew if it is meant for that`;
  return refused('job_unknown', message);
}

export function unknownJob(id: string): Refusal {
  return refused('job_unknown', `this coordinator runs no job "${id}"`);
}

/** The rank for a new node, or why there is none. */
function admission(job: JobState): number | Refusal {
  const rank = job.freeRank();
  if (rank !== null) return rank;
  const { worldSize } = job.spec;
  if (job.counters.leasesGrantedTotal === 0) {
    const message = `all ${worldSize} ranks of world_size are taken and no work has been handed out yet`;
    return refused('world_size_exceeded', message);
  }
  return refused(
    'membership_full',
    `membership full: all ${worldSize} ranks of world_size are taken`,
  );
}

/** The rank of a node id that is known, after its former process's leases have been taken back. */
function returning(
  tx: Transaction,
  job: JobState,
  known: NodeState,
  command: Of<'register'>,
): number | Refusal {
  if (known.instanceId === command.instanceId || command.instanceId === null) return known.rank;
  const silentMs = elapsedMs(known.lastHeardMs, tx.context.nowMs);
  if (known.instanceId !== null && !known.disconnected && silentMs < job.spec.leaseTtlMs) {
    return refused(
      'node_id_in_use',
      `node id ${command.nodeId} is in use by another live process, heard ${Math.round(silentMs)} ms ago`,
    );
  }
  for (const id of [...known.leases]) {
    const lease = job.leases.get(id);
    if (lease !== undefined) returnLease(tx, job, lease, 'revoked', 'the node was restarted');
  }
  return known.rank;
}

function sameRegistration(known: NodeState, command: Of<'register'>): boolean {
  return known.instanceId === command.instanceId && sameCaps(known.caps, command.caps);
}

function sameCaps(a: NodeCaps, b: NodeCaps): boolean {
  return (
    a.maxFetchConcurrency === b.maxFetchConcurrency &&
    a.maxDecodeConcurrency === b.maxDecodeConcurrency &&
    a.maxInflightBytes === b.maxInflightBytes &&
    a.maxRamBytes === b.maxRamBytes
  );
}

function passBarrier(tx: Transaction, job: JobState, isNew: boolean): void {
  if (job.ready) return;
  const registeredNodes = job.nodes.size;
  const { minWorldSize } = job.spec;
  if (registeredNodes >= minWorldSize) {
    tx.emit({ type: 'job_ready', job: job.spec.jobId });
    tx.fact({ event: 'job_ready', jobId: job.spec.jobId, registeredNodes });
  } else if (isNew) {
    tx.fact({ event: 'membership_wait', jobId: job.spec.jobId, registeredNodes, minWorldSize });
  }
}

/** Applies a resume token, all of it or nothing; null when there is none or it was accepted. */
function resume(tx: Transaction, job: JobState, token: Uint8Array): Refusal | null {
  if (token.length === 0) return null;
  const refusal = tryResume(tx, job, token);
  if (refusal !== null) {
    job.counters.resumeCheckpointRejectedTotal += 1;
    tx.fact({ event: 'resume_checkpoint_rejected', jobId: job.spec.jobId, code: refusal.code });
  }
  return refusal;
}

function tryResume(tx: Transaction, job: JobState, token: Uint8Array): Refusal | null {
  const checkpoint = decodeCheckpoint(token);
  if ('type' in checkpoint) return checkpoint;
  const mismatch = checkpointMismatch(checkpoint, job.spec);
  if (mismatch !== null) return mismatch;
  if (job.spec.commitsOutputs) {
    const message = `job ${job.spec.jobId} commits outputs: it goes on from its own state, not from a checkpoint`;
    return refused('checkpoint_mismatch', message);
  }
  const done = checkpoint.done.flatMap((range) => [range.start, range.end]);
  if (job.resumed !== null) {
    const same =
      done.length === job.resumed.length && done.every((id, at) => id === job.resumed?.[at]);
    if (same) return null;
    const message = `another checkpoint was already applied to job ${job.spec.jobId}`;
    return refused('checkpoint_mismatch', message);
  }
  if (job.counters.leasesGrantedTotal > 0) {
    const message = `job ${job.spec.jobId} has granted leases: a checkpoint is taken before the first`;
    return refused('checkpoint_too_late', message);
  }
  tx.emit({ type: 'resume_applied', job: job.spec.jobId, done });
  tx.fact({
    event: 'resume_checkpoint_applied',
    jobId: job.spec.jobId,
    samples: job.work.committed,
    ranges: checkpoint.done.length,
  });
  if (job.drained) complete(tx, job, null);
  return null;
}

/** The registered node that a command comes from; every such command proves that it lives. */
export function callingNode(
  tx: Transaction,
  job: JobState,
  command: Extract<Command, { readonly nodeId: unknown }>,
): NodeState | Refusal {
  const node = job.nodes.get(command.nodeId);
  if (node === undefined) {
    const message = `node ${command.nodeId} is not registered with job ${job.spec.jobId}`;
    return refused('node_not_registered', message);
  }
  if (command.instanceId !== null && command.instanceId !== node.instanceId) {
    const message = `node ${command.nodeId} was registered by another process since`;
    return refused('node_not_registered', message);
  }
  heard(node, tx.context.nowMs);
  return node;
}

/** Tells the node which caps hold for it. */
export function tuned(tx: Transaction, job: JobState, { nodeId, tuning }: NodeState): void {
  tx.fact({ event: 'node_tuned', jobId: job.spec.jobId, nodeId, ...tuning });
}

function heard(node: NodeState, nowMs: MonoMs): void {
  node.lastHeardMs = nowMs;
  node.disconnected = false;
}

/** The node goes, and what it holds is available at once. */
export function leave(tx: Transaction, job: JobState, node: NodeState, reason: string): Reply {
  for (const id of [...node.leases]) {
    const lease = job.leases.get(id);
    if (lease !== undefined) returnLease(tx, job, lease, 'released', '');
  }
  releaseRank(tx, job, node, reason);
  return { type: 'ok' };
}

/**
 * The node's process has ended, and whoever started it says so. What it held is available at once, and
 * the next process under its id is let in at once; the rank is kept for that one. Silence proves nothing,
 * and a connection that broke neither: this is for those who have seen the process end.
 */
export function nodeDied(tx: Transaction, job: JobState, id: NodeState['nodeId']): Reply {
  const node = job.nodes.get(id);
  if (node === undefined) return { type: 'ok' };
  const held = [...node.leases];
  for (const leaseId of held) {
    const lease = job.leases.get(leaseId);
    if (lease !== undefined)
      returnLease(tx, job, lease, 'revoked', 'the process of its node ended');
  }
  node.disconnected = true;
  tx.fact({ event: 'node_died', jobId: job.spec.jobId, nodeId: id, leases: held.length });
  return { type: 'ok' };
}

/** Frees the ranks of nodes that have been silent for a lease TTL and hold no lease any more. */
export function releaseSilentRanks(tx: Transaction, job: JobState): void {
  for (const node of [...job.nodes.values()]) {
    const silentMs = elapsedMs(node.lastHeardMs, tx.context.nowMs);
    if (silentMs < job.spec.leaseTtlMs || node.leases.size > 0) continue;
    releaseRank(tx, job, node, 'heartbeat_timeout');
  }
}

function releaseRank(tx: Transaction, job: JobState, node: NodeState, reason: string): void {
  const { nodeId, rank } = node;
  const from = job.nodes.size;
  tx.emit({
    type: 'rank_released',
    job: job.spec.jobId,
    node: nodeId,
    reason,
    atUnixMs: tx.context.nowUnixMs,
  });
  tx.fact({ event: 'rank_released', jobId: job.spec.jobId, nodeId, rank, reason });
  tx.fact({ event: 'world_size_changed', jobId: job.spec.jobId, from, to: job.nodes.size, reason });
}
