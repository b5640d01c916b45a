/**
 * The coordinator's state machine.
 *
 * `step(state, command, context)` decides one command: it answers with the records that became true
 * (already applied to the state), one reply and facts. The shell appends the records of a batch of
 * steps as one log entry and sends the replies once it is durable. `applyEntry` replays an entry;
 * `takeOver` then gives every lease that lived its full TTL again, so that no lease expires because of
 * a restart or a fail-over.
 *
 * Nothing here waits, reads a clock or draws a number; refusals are values; only bugs throw.
 */
import { assert, must, unreachable } from '../base/assert.ts';
import type { Refusal } from '../base/errors.ts';
import { addMs, type JobId, type ManifestHash, type MonoMs } from '../base/units.ts';
import { applyRecord } from './apply.ts';
import {
  beginRun,
  checkpointOf,
  completeJob,
  createJob,
  drainJob,
  failJob,
  requestFinalize,
  resumeJob,
} from './decide-job.ts';
import { forgetOld, isGone } from './decide-forget.ts';
import { offersOf, requestLease, tellWaiting } from './decide-grants.ts';
import {
  commitOutput,
  expireLeases,
  releaseLease,
  renewLeases,
  reportProgress,
} from './decide-leases.ts';
import {
  callingNode,
  formerNode,
  leave,
  nodeDied,
  registerNode,
  releaseSilentRanks,
  unknownJob,
} from './decide-membership.ts';
import { operate } from './decide-operation.ts';
import { forgetGuests, forgetStores, hearOfStores, shareStores } from './decide-stores.ts';
import type { CoordinatorState, JobState, NodeState } from './job-state.ts';
import type { Command, CommittedPiece, Fact, Reply, StepContext } from './protocol.ts';
import type { JobRecord } from './records.ts';
import { jobSnapshot } from './snapshot-view.ts';
import { Transaction } from './transaction.ts';

export { CoordinatorState, emptyState } from './job-state.ts';
export { JOB_RETENTION_DEFAULT } from './decide-forget.ts';
export { createRefusal } from './decide-job.ts';
export { jobDigest } from './snapshot-view.ts';
export type { DigestOptions, JobDigest } from './snapshot-view.ts';

export interface StepResult {
  readonly records: readonly JobRecord[];
  readonly reply: Reply;
  readonly facts: readonly Fact[];
}

export function step(state: CoordinatorState, command: Command, context: StepContext): StepResult {
  const tx = new Transaction(state, context);
  const offers = offersOf(state, command);
  const reply = decide(tx, command);
  if (offers.length > 0) tellWaiting(tx, offers);
  return { records: tx.records, reply, facts: tx.facts };
}

function decide(tx: Transaction, command: Command): Reply {
  switch (command.type) {
    case 'create_job':
      return createJob(tx, command.spec);
    case 'register':
      return registerNode(tx, command);
    case 'share_stores':
      return shareStores(tx, command);
    case 'tick':
      return tick(tx);
    default: {
      const job = tx.state.jobs.get(command.jobId);
      if (job === undefined) return decideForNone(tx, command);
      return 'nodeId' in command ? decideForNode(tx, job, command) : decideForJob(tx, job, command);
    }
  }
}

function decideForNone({ state }: Transaction, command: OfJob): Reply {
  const wasForgotten = command.type === 'operate' && isGone(state, command.operation);
  return wasForgotten ? { type: 'operated', changes: [] } : unknownJob(command.jobId);
}

type OfJob = Exclude<
  Command,
  { readonly type: 'create_job' | 'register' | 'share_stores' | 'tick' }
>;
type OfNode = Extract<OfJob, { readonly nodeId: unknown }>;

function decideForJob(tx: Transaction, job: JobState, command: Exclude<OfJob, OfNode>): Reply {
  switch (command.type) {
    case 'resume_job':
      return resumeJob(tx, job);
    case 'begin_run':
      return beginRun(tx, job, command);
    case 'node_died':
      return nodeDied(tx, job, command.died);
    case 'drain_job':
      return drainJob(tx, job);
    case 'operate':
      return operate(tx, job, command);
    case 'get_snapshot':
      return jobSnapshot(job, tx.context.nowMs, command.leases ?? null);
    case 'get_checkpoint':
      return { type: 'checkpoint', bytes: checkpointOf(job) };
    default:
      return unreachable(command);
  }
}

function decideForNode(tx: Transaction, job: JobState, command: OfNode): Reply {
  if (command.type === 'disconnect') return disconnect(job, command);
  const node: NodeState | Refusal = callingNode(tx, job, command);
  if ('type' in node) {
    // To leave, or to report a failure, one need not be a member any more.
    if (command.type === 'leave') return { type: 'ok' };
    if (command.type !== 'fail_job') return node;
    return formerNode(job, command) ?? failJob(tx, job, command);
  }
  switch (command.type) {
    case 'heartbeat':
      job.counters.heartbeatTotal += 1;
      node.stats = command.stats;
      return hearOfStores(tx, job, node, command);
    case 'request_lease':
      return requestLease(tx, job, node, command);
    case 'progress':
      return reportProgress(tx, job, node, command);
    case 'renew':
      return renewLeases(tx, job, node, command);
    case 'commit':
      return commitOutput(tx, job, node, command);
    case 'release':
      return releaseLease(tx, job, node, command);
    case 'leave':
      return leave(tx, job, node, 'node_left');
    case 'fail_job':
      return failJob(tx, job, command);
    case 'request_finalize':
      return requestFinalize(tx, job, node);
    case 'complete_job':
      return completeJob(tx, job, command);
    default:
      return unreachable(command);
  }
}

function disconnect(job: JobState, command: Extract<Command, { type: 'disconnect' }>): Reply {
  const node = job.nodes.get(command.nodeId);
  if (node !== undefined && node.instanceId === command.instanceId) node.disconnected = true;
  return { type: 'ok' };
}

function tick(tx: Transaction): Reply {
  for (const job of tx.state.jobs.values()) {
    expireLeases(tx, job);
    releaseSilentRanks(tx, job);
    forgetStores(tx, job);
  }
  forgetOld(tx);
  forgetGuests(tx);
  return { type: 'ok' };
}

/** Replays one entry of the log. Deadlines are set from `nowMs`; `takeOver` sets them again. */
export function applyEntry(
  state: CoordinatorState,
  entry: { readonly epoch: number; readonly seq: number; readonly records: readonly JobRecord[] },
  nowMs: MonoMs,
): void {
  entry.records.forEach((record, index) => {
    applyRecord(state, record, { epoch: entry.epoch, seq: entry.seq, index }, nowMs);
  });
}

/** After the replay: every live lease gets its full TTL, every node counts as just heard from. */
export function takeOver(state: CoordinatorState, nowMs: MonoMs): void {
  forgiveSilence(state, nowMs);
  for (const job of state.jobs.values()) {
    // A session does not outlive the coordinator that held it: the node shows up again or is gone.
    for (const node of job.nodes.values()) node.disconnected = true;
  }
}

/** Nobody could be heard for a while through no fault of theirs: all time spans begin anew. */
export function forgiveSilence(state: CoordinatorState, nowMs: MonoMs): void {
  for (const job of state.jobs.values()) {
    for (const node of job.nodes.values()) node.lastHeardMs = nowMs;
    const deadlineMs = addMs(nowMs, job.spec.leaseTtlMs);
    // All get the same deadline, so whatever order they stand in is the order of their deadlines.
    for (const lease of job.leases.values()) {
      lease.deadlineMs = deadlineMs;
      lease.movedMs = nowMs;
    }
  }
}

export function jobIds(state: CoordinatorState): readonly JobId[] {
  return [...state.jobs.keys()];
}

/** Of the data that its jobs read. */
export function manifestHashes(state: CoordinatorState): ReadonlySet<ManifestHash> {
  return new Set([...state.jobs.values()].map(({ spec }) => spec.manifestHash));
}

/** Up to `limit` committed pieces whose start is greater than `afterStart` (-1 for the first). */
export function committedPieces(
  state: CoordinatorState,
  jobId: JobId,
  afterStart: number,
  limit: number,
): readonly CommittedPiece[] {
  return state.jobs.get(jobId)?.pieces.after(afterStart, limit) ?? [];
}

/**
 * Everything that must hold between any two steps, in full; O(state), for tests and simulation. The
 * part of it that a step can break is checked in every step (`WorkLedger`, `applyRecord`).
 */
export function assertInvariants(state: CoordinatorState): void {
  for (const job of state.jobs.values()) {
    const single = [...job.leases.values()].filter(({ doubles }) => doubles === null);
    job.work.assertCover(single.map(({ cursor: start, end }) => ({ start, end })));
    const ranks = new Set([...job.nodes.values()].map((node) => node.rank));
    assert(ranks.size === job.nodes.size, 'no two nodes hold one rank');
    assert(job.nodes.size <= job.spec.worldSize, 'there are at most world_size nodes');
    let previousMs = 0;
    for (const { deadlineMs } of job.leases.values()) {
      assert(deadlineMs >= previousMs, 'leases stand in order of their deadlines');
      previousMs = deadlineMs;
    }
    let held = 0;
    for (const node of job.nodes.values()) held += node.leases.size;
    assert(held === job.leases.size, 'every live lease is held by a registered node');
    for (const lease of job.leases.values()) {
      assert(
        lease.cursor >= lease.start && lease.cursor < lease.end,
        'a live cursor is in its range',
      );
      assert(lease.deliveredCursor >= lease.cursor, 'what is committed was delivered');
      if (lease.doubles === null) continue;
      const { cursor, end, doubledBy } = must(job.leases.get(lease.doubles), 'it doubles a lease');
      assert(doubledBy === lease.leaseId, 'a lease and its double know each other');
      assert(cursor === lease.cursor && end === lease.end, 'both hold the same samples');
    }
    if (job.phase === 'completed') assert(job.drained, 'a completed job is drained');
  }
}
