/** Messages of `mx8.v0` ↔ commands and replies. v0 has no instance ids and no held leases. */
import type { ReadCommand } from './backend.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { JobState } from '../core/job/job-state.ts';
import { type JobOverview, jobOverview } from '../core/job/snapshot-view.ts';
import { isManifestHash, type JobId, type ManifestHash } from '../core/base/units.ts';
import type { Command, JobSpec, Lease, LeasesGranted, Registered } from '../core/job/protocol.ts';
import {
  bytes,
  child,
  jobIdOf,
  longOf,
  nodeIdOf,
  requiredChild,
  requiredText,
  uint,
  uint64,
} from './fields.ts';
import { EncodedMessage, type WireMessage, wireType } from './schema.ts';
import { asMessage, capsFrom, statsFrom } from './shared-messages.ts';
import { encodeLiveLeases } from './v0-live-leases.ts';
import type { Moment } from './v0-live-leases.ts';

function fromNode(message: WireMessage): {
  jobId: JobId;
  nodeId: ReturnType<typeof nodeIdOf>;
  instanceId: null;
} {
  return { jobId: jobIdOf(message), nodeId: nodeIdOf(message), instanceId: null };
}

export function registerCommand(message: WireMessage): Command {
  return {
    type: 'register',
    ...fromNode(message),
    caps: capsFrom(requiredChild(message, 'caps')),
    resumeFrom: bytes(message, 'resumeFrom'),
  };
}

export function heartbeatCommand(message: WireMessage): Command {
  return {
    type: 'heartbeat',
    ...fromNode(message),
    stats: statsFrom(child(message, 'stats') ?? {}),
    sentAtUnixMs: uint64(message, 'unixTimeMs'),
  };
}

export function leaseCommand(message: WireMessage): Command {
  return { type: 'request_lease', ...fromNode(message), want: uint(message, 'want'), held: null };
}

export function progressCommand(message: WireMessage): Command {
  return {
    type: 'progress',
    ...fromNode(message),
    leaseId: requiredText(message, 'leaseId'),
    cursor: uint64(message, 'cursor'),
    deliveredSamples: uint64(message, 'deliveredSamples'),
    deliveredBytes: uint64(message, 'deliveredBytes'),
  };
}

export function checkpointCommand(message: WireMessage): ReadCommand {
  return { type: 'get_checkpoint', jobId: jobIdOf(message) };
}

/** The job and the manifest that a GetManifestRequest asks for. */
export function manifestRequest(message: WireMessage): { jobId: JobId; hash: ManifestHash } {
  const jobId = jobIdOf(message);
  const hash = requiredText(message, 'manifestHash');
  if (isManifestHash(hash)) return { jobId, hash };
  throw new Mx8Error(
    'field_invalid',
    `field manifest_hash takes 64 lowercase hex digits, got ${JSON.stringify(hash.slice(0, 80))}`,
  );
}

export function registeredMessage(reply: Registered): WireMessage {
  const { spec, elastic } = reply;
  return {
    assignedRank: reply.assignedRank,
    worldSize: spec.worldSize,
    manifestHash: spec.manifestHash,
    heartbeatIntervalMs: spec.heartbeatIntervalMs,
    leaseTtlMs: spec.leaseTtlMs,
    registeredNodes: reply.registeredNodes,
    jobReady: reply.jobReady,
    ...elasticFields(elastic),
  };
}

/** `nowUnixMs` only dates the expiry for display: nodes count their leases' time on their own clock. */
export function leasesMessage(reply: LeasesGranted, spec: JobSpec, nowUnixMs: number): WireMessage {
  const expiresMs = nowUnixMs + spec.leaseTtlMs;
  return {
    leases: reply.leases.map((lease) => leaseMessage(lease, spec, expiresMs)),
    waitMs: reply.waitMs,
    ...elasticFields(reply.elastic),
    jobDrained: reply.jobDrained,
  };
}

/** Encoded, since it lists every live lease and there may be a hundred thousand. */
export function encodedSnapshot(job: JobState, moment: Moment): EncodedMessage {
  const { encode } = wireType('mx8.v0.GetJobSnapshotResponse');
  const overview = jobOverview(job, moment.nowMs);
  const before = encode(overviewMessage(overview, job.leases.size, moment.nowUnixMs));
  const after = encode({ counters: asMessage(overview.counters) });
  return new EncodedMessage(encodeLiveLeases(job.leases, job.spec, moment, [before, after]));
}

function overviewMessage(
  overview: JobOverview,
  activeLeases: number,
  nowUnixMs: number,
): WireMessage {
  const { spec } = overview;
  return {
    serverUnixTimeMs: nowUnixMs,
    manifestHash: spec.manifestHash,
    worldSize: spec.worldSize,
    registeredNodes: overview.registeredNodes,
    jobReady: overview.jobReady,
    jobDrained: overview.jobDrained,
    activeLeases,
    availableRanges: overview.availableRanges,
    nodes: overview.nodes.map((node) => ({
      nodeId: node.nodeId,
      assignedRank: node.assignedRank,
      lastHeartbeatUnixTimeMs: Math.max(0, Math.round(nowUnixMs - node.heartbeatAgeMs)),
      caps: asMessage(node.caps),
      stats: asMessage(node.stats),
    })),
  };
}

function leaseMessage(lease: Lease, spec: JobSpec, expiresUnixMs: number): WireMessage {
  const { start, end } = lease.range;
  return {
    leaseId: lease.leaseId,
    nodeId: lease.nodeId,
    range: { startId: start, endId: end, epoch: spec.epoch, seed: longOf(spec.seed) },
    cursor: lease.cursor,
    expiresUnixTimeMs: Math.round(expiresUnixMs),
  };
}

function elasticFields(elastic: Registered['elastic']): WireMessage {
  return {
    elasticTransitionPending: elastic.transitionPending,
    elasticTransitionsTotal: elastic.transitionsTotal,
    elasticLastTransitionReason: elastic.lastTransitionReason,
    elasticCurrentWorldSize: elastic.currentWorldSize,
    elasticTargetWorldSize: elastic.targetWorldSize,
    elasticLastTransitionUnixTimeMs: Math.round(elastic.lastTransitionUnixMs),
  };
}
