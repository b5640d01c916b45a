/** Jobs, leases and snapshots of `mx8.v1` ↔ our types, both ways. */
import { Mx8Error } from '../core/base/errors.ts';
import { isManifestHash, type ManifestHash } from '../core/base/units.ts';
import type {
  CommittedPiece,
  JobPhase,
  JobSnapshot,
  JobSpec,
  Lease,
  LeaseSummary,
  LiveLease,
  NodeView,
} from '../core/job/protocol.ts';
import {
  big,
  child,
  children,
  flag,
  jobIdOf,
  leaseIdOf,
  longOf,
  nodeIdOf,
  requiredChild,
  text,
  uint,
  uint64,
  uint64s,
} from './fields.ts';
import type { WireMessage } from './schema.ts';
import {
  asMessage,
  capsFrom,
  countersFrom,
  elasticFrom,
  elasticMessage,
  statsFrom,
} from './shared-messages.ts';
import { storeViewFrom, storeViewMessage } from './v1-stores.ts';

const PHASES: readonly JobPhase[] = ['running', 'draining', 'failed', 'finalizing', 'completed'];

export function phaseFrom(message: WireMessage): JobPhase {
  const said = text(message, 'phase');
  const phase = PHASES.find((known) => known === said);
  if (phase !== undefined) return phase;
  throw new Mx8Error(
    'field_invalid',
    `field phase takes one of ${PHASES.join(', ')}, got "${said}"`,
  );
}

/** What tells a job from others of its name; empty text stands for none. */
export function jobTokenFrom(message: WireMessage): { jobToken?: string } {
  const jobToken = text(message, 'jobToken');
  return jobToken === '' ? {} : { jobToken };
}

/** A manifest hash; null for the empty text, which stands for none. */
export function optionalHash(message: WireMessage, name: string): ManifestHash | null {
  const value = text(message, name);
  if (value === '') return null;
  if (isManifestHash(value)) return value;
  throw new Mx8Error(
    'field_invalid',
    `a manifest hash has 64 lowercase hex digits, got "${value}"`,
  );
}

export function requiredHash(message: WireMessage, name: string): ManifestHash {
  const hash = optionalHash(message, name);
  if (hash !== null) return hash;
  throw new Mx8Error('field_missing', 'field manifest_hash is missing');
}

export function specMessage(spec: JobSpec): WireMessage {
  return { ...spec, seed: longOf(spec.seed) };
}

export function specFrom(message: WireMessage): JobSpec {
  return {
    jobId: jobIdOf(message),
    manifestHash: requiredHash(message, 'manifestHash'),
    sampleCount: uint64(message, 'sampleCount'),
    blockSize: uint64(message, 'blockSize'),
    worldSize: uint(message, 'worldSize'),
    minWorldSize: uint(message, 'minWorldSize'),
    shuffle: flag(message, 'shuffle'),
    seed: big(message, 'seed'),
    epoch: uint(message, 'epoch'),
    leaseTtlMs: uint(message, 'leaseTtlMs'),
    heartbeatIntervalMs: uint(message, 'heartbeatIntervalMs'),
    commitsOutputs: flag(message, 'commitsOutputs'),
    adoptsFirstJobId: flag(message, 'adoptsFirstJobId'),
  };
}

export function leaseMessage(lease: Lease): WireMessage {
  const { start, end } = lease.range;
  return { leaseId: lease.leaseId, nodeId: lease.nodeId, start, end, cursor: lease.cursor };
}

export function leaseFrom(message: WireMessage): Lease {
  return {
    leaseId: leaseIdOf(message),
    nodeId: nodeIdOf(message),
    range: { start: uint64(message, 'start'), end: uint64(message, 'end') },
    cursor: uint64(message, 'cursor'),
  };
}

function liveLeaseMessage(lease: LiveLease): WireMessage {
  const { deliveredCursor, expiresInMs, stillMs } = lease;
  return {
    ...leaseMessage(lease),
    deliveredCursor,
    expiresInMs: Math.round(expiresInMs),
    stillMs: Math.round(stillMs),
  };
}

function liveLeaseFrom(message: WireMessage): LiveLease {
  return {
    ...leaseFrom(message),
    deliveredCursor: uint64(message, 'deliveredCursor'),
    expiresInMs: uint64(message, 'expiresInMs'),
    stillMs: uint64(message, 'stillMs'),
  };
}

export function pieceMessage(piece: CommittedPiece): WireMessage {
  return { ...piece };
}

export function pieceFrom(message: WireMessage): CommittedPiece {
  return {
    start: uint64(message, 'start'),
    end: uint64(message, 'end'),
    leaseId: leaseIdOf(message),
    quarantined: uint64s(message, 'quarantined'),
  };
}

export function jobSnapshotMessage(snapshot: JobSnapshot): WireMessage {
  return {
    spec: specMessage(snapshot.spec),
    phase: snapshot.phase,
    failureCode: snapshot.failure?.code ?? '',
    failureMessage: snapshot.failure?.message ?? '',
    jobReady: snapshot.jobReady,
    jobDrained: snapshot.jobDrained,
    paused: snapshot.paused,
    registeredNodes: snapshot.registeredNodes,
    availableRanges: snapshot.availableRanges,
    unissuedSamples: snapshot.samples.unissued,
    leasedSamples: snapshot.samples.leased,
    committedSamples: snapshot.samples.committed,
    quarantinedSamples: snapshot.samples.quarantined,
    inputBytes: snapshot.inputBytes,
    outputRows: snapshot.output.rows,
    outputBytes: snapshot.output.bytes,
    outputPieces: snapshot.output.pieces,
    outputManifestHash: snapshot.outputManifestHash ?? '',
    nodes: snapshot.nodes.map(nodeMessage),
    liveLeases: snapshot.liveLeases.map(liveLeaseMessage),
    ...(snapshot.leases === null ? {} : { leases: summaryMessage(snapshot.leases) }),
    counters: asMessage(snapshot.counters),
    elastic: elasticMessage(snapshot.elastic),
    stores: snapshot.stores.map(storeViewMessage),
    jobToken: snapshot.jobToken ?? '',
  };
}

function nodeMessage(node: NodeView): WireMessage {
  return {
    nodeId: node.nodeId,
    assignedRank: node.assignedRank,
    heartbeatAgeMs: Math.round(node.heartbeatAgeMs),
    caps: asMessage(node.caps),
    stats: asMessage(node.stats),
    draining: node.draining,
    leaseCount: node.leaseCount,
    deliveredSamples: node.deliveredSamples ?? 0,
  };
}

/** `leases` null: from a snapshot of a coordinator that may know neither of the last two fields. */
function nodeFrom(
  node: WireMessage,
  leases: LeaseSummary | null,
  listed: ReadonlyMap<string, number>,
): NodeView {
  const nodeId = nodeIdOf(node);
  return {
    nodeId,
    assignedRank: uint(node, 'assignedRank'),
    heartbeatAgeMs: uint64(node, 'heartbeatAgeMs'),
    caps: capsFrom(requiredChild(node, 'caps')),
    stats: statsFrom(requiredChild(node, 'stats')),
    draining: flag(node, 'draining'),
    leaseCount: leases === null ? (listed.get(nodeId) ?? 0) : uint(node, 'leaseCount'),
    deliveredSamples: leases === null ? null : uint64(node, 'deliveredSamples'),
  };
}

function summaryMessage({ count, stalledCount, leastStillMs, stalled }: LeaseSummary): WireMessage {
  const still = { leastStillMs: Math.round(leastStillMs), stalled: stalled.map(liveLeaseMessage) };
  return { count, stalledCount, ...still };
}

function summaryFrom(message: WireMessage): LeaseSummary | null {
  const summary = child(message, 'leases');
  if (summary === null) return null;
  return {
    count: uint64(summary, 'count'),
    stalledCount: uint64(summary, 'stalledCount'),
    leastStillMs: uint64(summary, 'leastStillMs'),
    stalled: children(summary, 'stalled').map(liveLeaseFrom),
  };
}

function countsByNode(leases: readonly LiveLease[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { nodeId } of leases) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  return counts;
}

export function jobSnapshotFrom(message: WireMessage): JobSnapshot {
  const failureCode = text(message, 'failureCode');
  const liveLeases = children(message, 'liveLeases').map(liveLeaseFrom);
  const leases = summaryFrom(message);
  const listed = countsByNode(leases === null ? liveLeases : []);
  return {
    type: 'snapshot',
    ...jobTokenFrom(message),
    spec: specFrom(requiredChild(message, 'spec')),
    phase: phaseFrom(message),
    failure:
      failureCode === '' ? null : { code: failureCode, message: text(message, 'failureMessage') },
    jobReady: flag(message, 'jobReady'),
    jobDrained: flag(message, 'jobDrained'),
    paused: flag(message, 'paused'),
    registeredNodes: uint(message, 'registeredNodes'),
    availableRanges: uint64(message, 'availableRanges'),
    samples: {
      unissued: uint64(message, 'unissuedSamples'),
      leased: uint64(message, 'leasedSamples'),
      committed: uint64(message, 'committedSamples'),
      quarantined: uint64(message, 'quarantinedSamples'),
    },
    inputBytes: uint64(message, 'inputBytes'),
    output: {
      rows: uint64(message, 'outputRows'),
      bytes: uint64(message, 'outputBytes'),
      pieces: uint64(message, 'outputPieces'),
    },
    outputManifestHash: optionalHash(message, 'outputManifestHash'),
    nodes: children(message, 'nodes').map((node) => nodeFrom(node, leases, listed)),
    liveLeases,
    leases,
    counters: countersFrom(requiredChild(message, 'counters')),
    elastic: elasticFrom(requiredChild(message, 'elastic')),
    stores: children(message, 'stores').map(storeViewFrom),
  };
}
