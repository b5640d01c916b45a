/** Decisions about what a node that asks for work gets. */
import { refused } from '../base/errors.ts';
import { asLease, grantNext, renew } from './decide-leases.ts';
import { relieve } from './decide-relief.ts';
import type { JobState, NodeState } from './job-state.ts';
import type { Command, Lease, Reply } from './protocol.ts';
import { elasticState } from './snapshot-view.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;

/** Most leases one request may ask for; more would make one answer, and one loss, too large. */
export const WANT_MAX = 1024;

/** How long a node waits when all remaining work is held by others. */
export const NO_WORK_WAIT_MS = 200;

export function requestLease(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  command: Of<'request_lease'>,
): Reply {
  if (!(Number.isSafeInteger(command.want) && command.want > 0 && command.want <= WANT_MAX)) {
    const message = `field want takes 1 to ${WANT_MAX}, got ${command.want}`;
    return refused('field_invalid', message);
  }
  job.counters.requestLeaseTotal += 1;
  if (job.phase === 'failed') {
    return refused('job_failed', `job ${job.spec.jobId} failed: ${job.failure?.message ?? ''}`);
  }
  if (!job.ready) {
    return refused(
      'job_not_ready',
      `job not ready (membership barrier): ${job.nodes.size} of ${job.spec.minWorldSize} nodes have registered`,
    );
  }
  const leases = resend(tx, job, node, command.held);
  const wanted = command.held === null ? command.want : command.want - node.leases.size;
  if (job.phase === 'running' && !job.paused && !node.draining) {
    for (let granted = 0; granted < wanted; granted += 1) {
      const lease = grantNext(tx, job, node) ?? relieve(tx, job, node);
      if (lease === null) break;
      leases.push(lease);
    }
  }
  node.pace.note(node.leases.size > 0, tx.context.nowMs);
  const stopping = job.drained || job.phase !== 'running';
  return {
    type: 'leases',
    leases,
    waitMs: leases.length > 0 || stopping ? 0 : NO_WORK_WAIT_MS,
    jobDrained: stopping,
    phase: job.phase,
    elastic: elasticState(job),
  };
}

/**
 * Leases the node owns and does not know of: the answer that granted them was lost. They begin now for
 * the node, so they begin now for the coordinator too.
 */
function resend(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  held: readonly string[] | null,
): Lease[] {
  if (held === null) return [];
  const known = new Set<string>(held);
  const unknown: Lease[] = [];
  for (const id of node.leases) {
    const lease = job.leases.get(id);
    if (lease === undefined || known.has(id)) continue;
    renew(tx, job, lease);
    unknown.push(asLease(lease));
  }
  return unknown;
}
