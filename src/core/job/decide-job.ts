/** Decisions about the job as a whole: creation, failure, drain, finalization, completion. */
import { refused, type Refusal } from '../base/errors.ts';
import { redactText } from '../base/redact.ts';
import { isManifestHash } from '../base/units.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { complete } from './complete-job.ts';
import { returnLease } from './decide-leases.ts';
import { leave } from './decide-membership.ts';
import type { CoordinatorState, JobState, NodeState } from './job-state.ts';
import type { Command, JobSpec, Reply } from './protocol.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;

/** How long a node waits before it asks again whether it may, or need not, finalize. */
export const FINALIZE_WAIT_MS = 200;

/** Most nodes of one job; ranks are scanned when one is handed out. */
export const WORLD_SIZE_MAX = 10_000;

export function createJob(tx: Transaction, spec: JobSpec): Reply {
  const bad = createRefusal(tx.state, spec);
  if (bad !== null) return bad;
  const found = existing(tx.state, spec);
  if (found !== null) return { type: 'job_created', spec: found.spec, existed: true };
  tx.emit({ type: 'job_created', spec, hasToken: true });
  tx.fact({ event: 'job_created', jobId: spec.jobId, sampleCount: spec.sampleCount });
  return { type: 'job_created', spec, existed: false };
}

/** The job of that id, or the one that was created under it and has taken another since. */
function existing(state: CoordinatorState, spec: JobSpec): JobState | null {
  const same = state.jobs.get(spec.jobId);
  if (same !== undefined) return same;
  for (const job of state.jobs.values()) if (job.adoptedFrom === spec.jobId) return job;
  return null;
}

/** Why the job cannot be created beside what is there, or null; changes nothing. */
export function createRefusal(state: CoordinatorState, spec: JobSpec): Refusal | null {
  const bad = specRefusal(spec);
  if (bad !== null) return bad;
  const found = existing(state, spec);
  const difference = found === null ? null : specDifference(found.spec, spec);
  if (found === null || difference === null) return null;
  return refused('job_exists', `job ${found.spec.jobId} exists with ${difference}`);
}

function specRefusal(spec: JobSpec): Refusal | null {
  const whole: readonly (readonly [string, number, number, number])[] = [
    ['sample_count', spec.sampleCount, 1, Number.MAX_SAFE_INTEGER],
    ['block_size', spec.blockSize, 1, Number.MAX_SAFE_INTEGER],
    ['world_size', spec.worldSize, 1, WORLD_SIZE_MAX],
    ['min_world_size', spec.minWorldSize, 1, spec.worldSize],
    ['epoch', spec.epoch, 0, 0xffffffff],
    ['lease_ttl_ms', spec.leaseTtlMs, 1, 0xffffffff],
    ['heartbeat_interval_ms', spec.heartbeatIntervalMs, 1, spec.leaseTtlMs],
  ];
  for (const [name, value, min, max] of whole) {
    if (Number.isSafeInteger(value) && value >= min && value <= max) continue;
    return refused(
      'field_invalid',
      `${name} takes a whole number from ${min} to ${max}, got ${value}`,
    );
  }
  if (spec.seed < 0n || spec.seed >= 1n << 64n) {
    return refused('field_invalid', `seed takes 0 to 2^64 - 1, got ${spec.seed}`);
  }
  if (isManifestHash(spec.manifestHash)) return null;
  const message = `manifest_hash takes 64 lowercase hex digits, got "${String(spec.manifestHash)}"`;
  return refused('field_invalid', message);
}

/** The first thing in which a repeated creation differs, or null. Timing may change between starts. */
function specDifference(ours: JobSpec, theirs: JobSpec): string | null {
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['manifest_hash', ours.manifestHash, theirs.manifestHash],
    ['sample_count', ours.sampleCount, theirs.sampleCount],
    ['world_size', ours.worldSize, theirs.worldSize],
    ['min_world_size', ours.minWorldSize, theirs.minWorldSize],
    ['block_size', ours.blockSize, theirs.blockSize],
    ['shuffle', ours.shuffle, theirs.shuffle],
    ['seed', ours.seed, theirs.seed],
    ['epoch', ours.epoch, theirs.epoch],
    ['outputs', ours.commitsOutputs, theirs.commitsOutputs],
  ];
  // All of them: one may follow from another, as the size of blocks does where nobody says it.
  const differing = facts.filter(([, a, b]) => a !== b);
  if (differing.length === 0) return null;
  return differing.map(([name, a, b]) => `${name} ${String(a)}, not ${String(b)}`).join('; ');
}

export function failJob(tx: Transaction, job: JobState, command: Of<'fail_job'>): Reply {
  if (job.phase === 'failed' || job.phase === 'completed') return { type: 'ok' };
  const { code, nodeId } = command;
  // Kept in the log, and told to whoever asks for the status.
  const message = redactText(command.message);
  // Everything is committed: what fails now elsewhere than at publishing fails nothing. It may be a node that
  // was cut off while another did the same first, and whose staging folder is being cleared.
  if (job.phase === 'finalizing' && job.finalizer?.nodeId !== nodeId) return { type: 'ok' };
  revokeAll(tx, job, 'the job failed');
  tx.emit({ type: 'job_failed', job: job.spec.jobId, code, message });
  tx.fact({ event: 'job_failed', jobId: job.spec.jobId, nodeId, code, message });
  return { type: 'ok' };
}

export function resumeJob(tx: Transaction, job: JobState): Reply {
  if (job.phase !== 'failed' && job.phase !== 'draining') return { type: 'ok' };
  tx.emit({ type: 'job_resumed', job: job.spec.jobId });
  tx.fact({ event: 'job_resumed', jobId: job.spec.jobId });
  return { type: 'ok' };
}

/** A new run by a supervisor that knows that no node of the former one lives. */
export function beginRun(tx: Transaction, job: JobState, command: Of<'begin_run'>): Reply {
  const { jobId } = job.spec;
  const { worldSize } = command;
  if (!(Number.isSafeInteger(worldSize) && worldSize >= 1 && worldSize <= WORLD_SIZE_MAX)) {
    const message = `world_size takes a whole number from 1 to ${WORLD_SIZE_MAX}, got ${worldSize}`;
    return refused('field_invalid', message);
  }
  if (job.phase === 'completed') return { type: 'ok' };
  for (const node of [...job.nodes.values()]) leave(tx, job, node, 'run_ended');
  if (job.spec.worldSize !== worldSize) {
    tx.emit({ type: 'world_size_set', job: jobId, worldSize });
  }
  if (job.paused) {
    tx.emit({ type: 'job_unpaused', job: jobId });
    tx.fact({ event: 'job_unpaused', jobId });
  }
  return resumeJob(tx, job);
}

export function drainJob(tx: Transaction, job: JobState): Reply {
  if (job.phase !== 'running') return { type: 'ok' };
  tx.emit({ type: 'job_draining', job: job.spec.jobId });
  tx.fact({ event: 'job_draining', jobId: job.spec.jobId });
  return { type: 'ok' };
}

function revokeAll(tx: Transaction, job: JobState, reason: string): void {
  for (const lease of [...job.leases.values()]) returnLease(tx, job, lease, 'revoked', reason);
}

/**
 * One node at a time may publish what is left of a drained job's outputs. Publication is idempotent;
 * the token only keeps two nodes from doing the same work and lets the last word be fenced.
 */
export function requestFinalize(tx: Transaction, job: JobState, node: NodeState): Reply {
  const answer = (finalizeToken: string | null): Reply => ({
    type: 'finalize',
    finalizeToken,
    waitMs: job.phase === 'completed' || finalizeToken !== null ? 0 : FINALIZE_WAIT_MS,
    phase: job.phase,
    outputManifestHash: job.outputManifestHash,
  });
  if (job.phase === 'failed') {
    return refused('job_failed', `job ${job.spec.jobId} failed: ${job.failure?.message ?? ''}`);
  }
  if (job.phase === 'completed' || !job.drained) return answer(null);
  if (job.finalizer !== null) {
    return answer(job.finalizer.nodeId === node.nodeId ? job.finalizer.token : null);
  }
  const token = tx.emit({ type: 'finalize_granted', job: job.spec.jobId, node: node.nodeId });
  tx.fact({ event: 'finalize_granted', jobId: job.spec.jobId, nodeId: node.nodeId });
  return answer(token);
}

export function completeJob(tx: Transaction, job: JobState, command: Of<'complete_job'>): Reply {
  const { outputManifestHash } = command;
  if (job.phase === 'completed') {
    if (job.outputManifestHash === outputManifestHash) return { type: 'ok' };
    const message = `job ${job.spec.jobId} is complete with output manifest ${job.outputManifestHash}`;
    return refused('commit_mismatch', message);
  }
  if (job.finalizer?.token !== command.finalizeToken) {
    const message = `finalize token ${command.finalizeToken} is not the current one`;
    return refused('lease_unknown', message);
  }
  complete(tx, job, outputManifestHash);
  return { type: 'ok' };
}

export function checkpointOf(job: JobState): Uint8Array {
  const { manifestHash, seed, shuffle, epoch, sampleCount, blockSize } = job.spec;
  const done = [...job.work.done()];
  return encodeCheckpoint({ manifestHash, seed, shuffle, epoch, sampleCount, blockSize, done });
}
