/** Decisions about what a node that asks for work gets. */
import { refused } from '../base/errors.ts';
import { asLease, grantNext, renew } from './decide-leases.ts';
import { relieve } from './decide-relief.ts';
import type { CoordinatorState, JobState, NodeState } from './job-state.ts';
import type { Command, Lease, Reply } from './protocol.ts';
import { elasticState } from './snapshot-view.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;

/** Most leases one request may ask for; more would make one answer, and one loss, too large. */
export const WANT_MAX = 1024;

/** How long a node waits at first when all remaining work is held by others. */
export const NO_WORK_WAIT_MS = 200;

/**
 * How long at most, if it goes on waiting: it is told when there is work, and asks by itself only as what it is told
 * may get lost. Where slow nodes are relieved it has to ask, as time alone makes one slow.
 */
export const NO_WORK_WAIT_MAX_MS = 1_600;
export const RELIEF_WAIT_MAX_MS = 400;

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
  const waits = leases.length === 0 && !stopping;
  // v0 knows no way to be told.
  const isTold = waits && node.instanceId !== null && !node.draining;
  if (isTold) job.waiting.add(node.nodeId);
  else job.waiting.delete(node.nodeId);
  return {
    type: 'leases',
    leases,
    waitMs: waits ? NO_WORK_WAIT_MS : 0,
    ...(isTold ? { waitMaxMs: waitMaxMs(tx, job) } : {}),
    jobDrained: stopping,
    phase: job.phase,
    elastic: elasticState(job),
  };
}

function waitMaxMs({ context }: Transaction, { spec }: JobState): number {
  return context.relief !== 'off' && spec.commitsOutputs ? RELIEF_WAIT_MAX_MS : NO_WORK_WAIT_MAX_MS;
}

/** A job that nodes wait for, and how many of them it had something for. */
interface Offer {
  readonly job: JobState;
  readonly count: number;
}

const NO_OFFERS: readonly Offer[] = [];

/** Of the jobs that the command may change. */
export function offersOf(state: CoordinatorState, command: Command): readonly Offer[] {
  if (command.type === 'tick') {
    const waitedFor = [...state.jobs.values()].filter(({ waiting }) => waiting.size > 0);
    return waitedFor.map((job) => ({ job, count: offerOf(job) }));
  }
  const job = 'jobId' in command ? state.jobs.get(command.jobId) : undefined;
  if (job === undefined || job.waiting.size === 0) return NO_OFFERS;
  return [{ job, count: offerOf(job) }];
}

/** A job that ends has something for all: they hear that there is no work to wait for. */
function offerOf(job: JobState): number {
  if (job.drained || job.phase !== 'running') return Infinity;
  return job.paused || !job.ready ? 0 : job.work.availableRanges;
}

/** Those that wait longest are told first: as many as there is more for than before. */
export function tellWaiting(tx: Transaction, before: readonly Offer[]): void {
  for (const { job, count } of before) {
    let left = offerOf(job) - count;
    for (const nodeId of job.waiting) {
      // Also where there was something for all before: nothing comes of that.
      if (!(left > 0)) break;
      job.waiting.delete(nodeId);
      const node = job.nodes.get(nodeId);
      if (node === undefined || node.disconnected) continue;
      left -= 1;
      tx.fact({ event: 'work_waits', jobId: job.spec.jobId, nodeId });
    }
  }
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
