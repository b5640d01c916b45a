/** The read side of a job: what status, screens and the v0 snapshot show. Changes nothing. */
import { elapsedMs, type MonoMs } from '../base/units.ts';
import type { JobState } from './job-state.ts';
import type { ElasticState, JobSnapshot, Registered } from './protocol.ts';

export function elasticState(job: JobState): ElasticState {
  return {
    // Ranks come and go within one step, so a transition is never left half made.
    transitionPending: false,
    transitionsTotal: job.elastic.transitionsTotal,
    lastTransitionReason: job.elastic.lastTransitionReason,
    currentWorldSize: job.nodes.size,
    targetWorldSize: job.spec.worldSize,
    lastTransitionUnixMs: job.elastic.lastTransitionUnixMs,
  };
}

export function registered(job: JobState, rank: number): Registered {
  return {
    type: 'registered',
    spec: job.spec,
    assignedRank: rank,
    registeredNodes: job.nodes.size,
    jobReady: job.ready,
    phase: job.phase,
    elastic: elasticState(job),
  };
}

export function jobSnapshot(job: JobState, nowMs: MonoMs): JobSnapshot {
  return {
    type: 'snapshot',
    spec: job.spec,
    phase: job.phase,
    failure: job.failure,
    jobReady: job.ready,
    jobDrained: job.drained,
    paused: job.paused,
    registeredNodes: job.nodes.size,
    availableRanges: job.work.availableRanges,
    samples: {
      unissued: job.work.unissued,
      leased: job.work.leased,
      committed: job.work.committed,
      quarantined: job.work.quarantined,
    },
    inputBytes: job.inputBytes,
    output: { rows: job.outputRows, bytes: job.outputBytes, pieces: job.pieces.count },
    outputManifestHash: job.outputManifestHash,
    nodes: [...job.nodes.values()]
      .sort((a, b) => a.rank - b.rank)
      .map((node) => ({
        nodeId: node.nodeId,
        assignedRank: node.rank,
        heartbeatAgeMs: Math.max(0, elapsedMs(node.lastHeardMs, nowMs)),
        caps: node.caps,
        stats: node.stats,
        draining: node.draining,
      })),
    liveLeases: [...job.leases.values()].map((lease) => ({
      leaseId: lease.leaseId,
      nodeId: lease.nodeId,
      range: { start: lease.start, end: lease.end },
      cursor: lease.cursor,
      deliveredCursor: lease.deliveredCursor,
      stillMs: Math.max(0, elapsedMs(lease.movedMs, nowMs)),
      expiresInMs: Math.max(0, elapsedMs(nowMs, lease.deadlineMs)),
    })),
    counters: { ...job.counters },
    elastic: elasticState(job),
  };
}
