/** Which facts a node is told unasked. Pure. */
import type { JobId, NodeId } from '../core/base/units.ts';
import type { Fact } from '../core/job/protocol.ts';
import type { Push } from '../ports/coordinator-client.ts';

/** What `nodeId` of `jobId` is told about the fact, or null. */
export function pushOf(fact: Fact, jobId: JobId, nodeId: NodeId): Push | null {
  if (fact.jobId !== jobId) return null;
  switch (fact.event) {
    case 'lease_revoked':
    case 'lease_superseded':
      if (fact.nodeId !== nodeId) return null;
      return { type: 'lease_revoked', leaseId: fact.leaseId, reason: fact.reason };
    case 'lease_expired':
      if (fact.nodeId !== nodeId) return null;
      return { type: 'lease_revoked', leaseId: fact.leaseId, reason: 'the lease expired' };
    case 'job_failed':
      return { type: 'job_failed', code: fact.code, message: fact.message };
    case 'node_draining':
      if (fact.nodeId !== nodeId) return null;
      return { type: 'drain', reason: 'an operator asked this node to drain' };
    case 'node_tuned': {
      if (fact.nodeId !== nodeId) return null;
      const { want, maxInflightBytes, prefetchBatches, maxQueueBatches } = fact;
      return {
        type: 'tuned',
        tuning: { want, maxInflightBytes, prefetchBatches, maxQueueBatches },
      };
    }
    case 'work_waits':
      return fact.nodeId === nodeId ? { type: 'work_waits' } : null;
    case 'job_draining':
      return { type: 'drain', reason: 'the job is draining' };
    default:
      return null;
  }
}
