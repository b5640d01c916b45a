/**
 * What each record does to the state: the only code that changes anything durable. The live path and
 * replay both come through here, so a restart and a fail-over are the same path as normal work.
 */
import { assert, must, unreachable } from '../base/assert.ts';
import {
  addMs,
  leaseId,
  type LeaseId,
  type MonoMs,
  type NodeId,
  parseLeaseId,
} from '../base/units.ts';
import {
  type CoordinatorState,
  IDLE_STATS,
  JobState,
  type LeaseState,
  type RecordPosition,
} from './job-state.ts';
import { mergedTuning, type Tuning } from './operations.ts';
import { Pace } from './pace.ts';
import type { JobRecord } from './records.ts';

type Of<T extends JobRecord['type']> = Extract<JobRecord, { readonly type: T }>;

export function applyRecord(
  state: CoordinatorState,
  record: JobRecord,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  if (record.type === 'job_created') {
    assert(!state.jobs.has(record.spec.jobId), `job ${record.spec.jobId} is created once`);
    const token = record.hasToken === true ? leaseId(position) : null;
    state.jobs.set(record.spec.jobId, new JobState(record.spec, token));
    return;
  }
  const job = must(state.jobs.get(record.job), () => `job ${record.job} exists`);
  if (record.type === 'job_adopted') adoptId(state, job, record);
  else if (record.type === 'job_forgotten') forgetJob(state, job);
  else applyToJob(job, record, position, nowMs);
}

function adoptId(state: CoordinatorState, job: JobState, record: Of<'job_adopted'>): void {
  state.jobs.delete(record.job);
  job.adoptedFrom = record.job;
  job.spec = { ...job.spec, jobId: record.newJob, adoptsFirstJobId: false };
  state.jobs.set(record.newJob, job);
}

function forgetJob(state: CoordinatorState, job: JobState): void {
  const { phase, nodes, spec } = job;
  assert(phase !== 'running' && phase !== 'finalizing', () => `job ${spec.jobId} is ${phase}`);
  assert(nodes.size === 0, 'nobody works on a job that is forgotten');
  state.jobs.delete(spec.jobId);
}

function applyToJob(
  job: JobState,
  record: Exclude<JobRecord, Of<'job_created' | 'job_adopted' | 'job_forgotten'>>,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  switch (record.type) {
    case 'node_registered':
      return registerNode(job, record, nowMs);
    case 'rank_released':
      return releaseRank(job, record);
    case 'job_ready':
      job.ready = true;
      return;
    case 'lease_granted':
    case 'lease_split':
    case 'lease_doubled':
    case 'lease_superseded':
    case 'progress':
    case 'committed':
    case 'lease_returned':
      return applyToLease(job, record, position, nowMs);
    case 'resume_applied':
      return applyResume(job, record.done);
    case 'job_failed':
      job.phase = 'failed';
      job.failure = { code: record.code, message: record.message };
      return;
    case 'job_draining':
      job.phase = 'draining';
      return;
    case 'job_paused':
      job.paused = true;
      return;
    case 'job_unpaused':
      job.paused = false;
      return;
    case 'node_draining':
      job.node(record.node).draining = true;
      return;
    case 'node_tuned': {
      const node = job.node(record.node);
      node.tuning = mergedTuning(node.tuning, record.tuning);
      return;
    }
    case 'job_tuned':
      return tuneJob(job, record.tuning);
    case 'job_resumed':
      job.phase = 'running';
      job.failure = null;
      job.finalizer = null;
      return;
    case 'world_size_set':
      assert(job.nodes.size === 0, 'ranks are dealt anew only while nobody holds one');
      job.spec = { ...job.spec, worldSize: record.worldSize, minWorldSize: 1 };
      job.work.dealTo(record.worldSize);
      return;
    case 'finalize_granted':
      job.phase = 'finalizing';
      job.finalizer = { nodeId: record.node, token: leaseId(position) };
      return;
    case 'job_completed':
      job.complete(record.outputManifestHash, record.atUnixMs ?? null);
      return;
    default:
      return unreachable(record);
  }
}

type LeaseRecord = Of<
  | 'lease_granted'
  | 'lease_split'
  | 'lease_doubled'
  | 'lease_superseded'
  | 'progress'
  | 'committed'
  | 'lease_returned'
>;

function applyToLease(
  job: JobState,
  record: LeaseRecord,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  switch (record.type) {
    case 'lease_granted':
      return grantLease(job, record, position, nowMs);
    case 'lease_split':
      return splitLease(job, record, position, nowMs);
    case 'lease_doubled':
      return doubleLease(job, record, position, nowMs);
    case 'lease_superseded':
      return supersede(job, record);
    case 'progress':
      return moveCursor(job, record.lease, record.cursor, 0, nowMs);
    case 'committed':
      return commitOutput(job, record, nowMs);
    case 'lease_returned':
      return returnLease(job, record);
    default:
      return unreachable(record);
  }
}

/** The job's caps also replace those that single nodes were given before. */
function tuneJob(job: JobState, tuning: Tuning): void {
  job.tuning = mergedTuning(job.tuning, tuning);
  for (const node of job.nodes.values()) node.tuning = mergedTuning(node.tuning, tuning);
}

function registerNode(job: JobState, record: Of<'node_registered'>, nowMs: MonoMs): void {
  const known = job.nodes.get(record.node);
  if (known !== undefined) {
    if (known.instanceId !== record.instance) known.pace = new Pace();
    known.instanceId = record.instance;
    known.caps = record.caps;
    known.lastHeardMs = nowMs;
    known.disconnected = false;
    return;
  }
  assert(record.rank < job.spec.worldSize, `rank ${record.rank} is below the world size`);
  job.nodes.set(record.node, {
    nodeId: record.node,
    rank: record.rank,
    instanceId: record.instance,
    caps: record.caps,
    draining: false,
    tuning: job.tuning,
    leases: new Set<LeaseId>(),
    lastHeardMs: nowMs,
    disconnected: false,
    stats: IDLE_STATS,
    pace: new Pace(),
  });
  if (job.ready) noteTransition(job, 'node_joined', record.atUnixMs);
}

function releaseRank(job: JobState, record: Of<'rank_released'>): void {
  assert(job.node(record.node).leases.size === 0, 'a node without a rank holds no lease');
  job.nodes.delete(record.node);
  if (job.finalizer?.nodeId === record.node) job.finalizer = null;
  if (job.ready) noteTransition(job, record.reason, record.atUnixMs);
}

function noteTransition(job: JobState, reason: string, atUnixMs: number): void {
  job.elastic.transitionsTotal += 1;
  job.elastic.lastTransitionReason = reason;
  job.elastic.lastTransitionUnixMs = atUnixMs;
}

function grantLease(
  job: JobState,
  record: Of<'lease_granted'>,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  job.work.issue(record.start, record.end);
  hold(job, record, leaseId(position), nowMs);
}

/** What is leased stays leased; only who holds it changes. */
function splitLease(
  job: JobState,
  record: Of<'lease_split'>,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  const lease = liveLease(job, record.lease);
  const { at, node } = record;
  const { end } = lease;
  assert(lease.doubles === null && lease.doubledBy === null, 'a doubled lease is not split');
  assert(at > lease.cursor && at < end, () => `${at} splits [${lease.cursor}, ${end})`);
  lease.end = at;
  lease.deliveredCursor = Math.min(lease.deliveredCursor, at);
  hold(job, { node, start: at, end }, leaseId(position), nowMs);
}

/** Both hold the same samples; the ledger counts those of the first. */
function doubleLease(
  job: JobState,
  record: Of<'lease_doubled'>,
  position: RecordPosition,
  nowMs: MonoMs,
): void {
  const lease = liveLease(job, record.lease);
  assert(lease.doubles === null && lease.doubledBy === null, 'a lease is doubled once at a time');
  const id = leaseId(position);
  const { cursor: start, end } = lease;
  hold(job, { node: record.node, start, end }, id, nowMs);
  liveLease(job, id).doubles = lease.leaseId;
  lease.doubledBy = id;
}

function supersede(job: JobState, record: Of<'lease_superseded'>): void {
  const lease = liveLease(job, record.lease);
  const other = liveLease(job, record.by);
  if (lease.doubles === null) {
    assert(lease.doubledBy === other.leaseId, 'a lease goes to its double');
    assert(lease.cursor === other.cursor && lease.end === other.end, 'both hold the same samples');
    other.doubles = null;
  } else {
    assert(lease.doubles === other.leaseId, 'a double goes to its lease');
    other.doubledBy = null;
  }
  job.drop(lease);
  if (record.why === 'expired') job.counters.leasesExpiredTotal += 1;
}

function hold(
  job: JobState,
  { node, start, end }: { readonly node: NodeId; readonly start: number; readonly end: number },
  id: LeaseId,
  nowMs: MonoMs,
): void {
  assert(!job.leases.has(id), 'a token is never used twice');
  job.leases.set(id, {
    leaseId: id,
    nodeId: node,
    start,
    end,
    cursor: start,
    deliveredCursor: start,
    movedMs: nowMs,
    deadlineMs: addMs(nowMs, job.spec.leaseTtlMs),
    doubles: null,
    doubledBy: null,
    lastCommitStart: -1,
  });
  job.node(node).leases.add(id);
  job.counters.leasesGrantedTotal += 1;
}

function liveLease(job: JobState, id: LeaseId): LeaseState {
  return must(job.leases.get(id), () => `lease ${id} is live`);
}

function moveCursor(
  job: JobState,
  id: LeaseId,
  cursor: number,
  quarantinedCount: number,
  nowMs: MonoMs,
): void {
  const lease = liveLease(job, id);
  assert(
    cursor > lease.cursor && cursor <= lease.end,
    () => `cursor ${cursor} moves forward in its lease`,
  );
  job.work.commit(lease.cursor, cursor, quarantinedCount);
  lease.cursor = cursor;
  lease.movedMs = nowMs;
  lease.deliveredCursor = Math.max(lease.deliveredCursor, cursor);
  job.counters.progressTotal += 1;
  if (cursor < lease.end) return;
  job.drop(lease);
  job.remember(lease);
}

function commitOutput(job: JobState, record: Of<'committed'>, nowMs: MonoMs): void {
  const lease = liveLease(job, record.lease);
  assert(record.start === lease.cursor, 'a piece starts at the cursor of its lease');
  lease.lastCommitStart = record.start;
  const token = must(parseLeaseId(record.lease), 'the lease id is one');
  job.pieces.add(record.start, record.end, token, record.quarantined);
  job.outputRows += record.rows;
  job.outputBytes += record.bytes;
  job.inputBytes += record.inputBytes ?? 0;
  moveCursor(job, record.lease, record.end, record.quarantined.length, nowMs);
}

function returnLease(job: JobState, record: Of<'lease_returned'>): void {
  const lease = liveLease(job, record.lease);
  assert(lease.doubles === null && lease.doubledBy === null, 'a doubled lease goes to its double');
  job.drop(lease);
  job.work.giveBack(lease.cursor, lease.end);
  job.counters.rangesRequeuedTotal += 1;
  if (record.why === 'expired') job.counters.leasesExpiredTotal += 1;
}

function applyResume(job: JobState, done: readonly number[]): void {
  job.resumed = done;
  for (let index = 0; index + 1 < done.length; index += 2) {
    job.work.restoreDone(must(done[index], 'a start'), must(done[index + 1], 'an end'));
  }
  job.counters.resumeCheckpointAppliedTotal += 1;
  job.counters.resumeRangesAppliedTotal += done.length / 2;
}
