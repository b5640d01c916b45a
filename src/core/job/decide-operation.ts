/** Decisions about what an operator wants done to a live job. Each says what it changes, done or not. */
import { refused, type Refusal } from '../base/errors.ts';
import { isLeaseId } from '../base/units.ts';
import { forget, forgetChange, forgetRefusal, isGone } from './decide-forget.ts';
import { drainJob, resumeJob } from './decide-job.ts';
import { returnLease } from './decide-leases.ts';
import { leave, tuned } from './decide-membership.ts';
import type { JobState, LeaseState, NodeState } from './job-state.ts';
import { type Change, RAISE_FACTOR_MAX, type Tuning, TUNING_MAX } from './operations.ts';
import type { Command, Reply } from './protocol.ts';
import type { Transaction } from './transaction.ts';

type Of<T extends Command['type']> = Extract<Command, { readonly type: T }>;
type Operation = Of<'operate'>['operation'];

/** What it would change, and what makes it so. */
interface Plan {
  readonly changes: readonly Change[];
  readonly carryOut: () => void;
}

const NOTHING: Plan = { changes: [], carryOut: () => undefined };
const BY_OPERATOR = 'an operator released it';

export function operate(tx: Transaction, job: JobState, command: Of<'operate'>): Reply {
  const plan = planOf(tx, job, command.operation);
  if ('type' in plan) return plan;
  if (!command.dryRun && plan.changes.length > 0) plan.carryOut();
  return { type: 'operated', changes: plan.changes };
}

function planOf(tx: Transaction, job: JobState, operation: Operation): Plan | Refusal {
  const { jobId } = job.spec;
  if (operation.type === 'forget')
    return isGone(tx.state, operation) ? NOTHING : forgetPlan(tx, job);
  if (job.phase === 'completed') {
    return refused('job_over', `job ${jobId} is complete: there is nothing left to change`);
  }
  switch (operation.type) {
    case 'drain':
      return operation.nodeId === null ? drainAll(tx, job) : drainNode(tx, job, operation.nodeId);
    case 'release_lease':
      return releaseOne(tx, job, operation.leaseId);
    case 'release_node':
      return releaseNode(tx, job, operation.nodeId);
    case 'pause':
      return pause(tx, job);
    case 'resume':
      return resume(tx, job);
    case 'tune':
      return tune(tx, job, operation);
    default:
      return operation satisfies never;
  }
}

function forgetPlan(tx: Transaction, job: JobState): Plan | Refusal {
  return (
    forgetRefusal(job, tx.context) ?? {
      changes: [forgetChange(job)],
      carryOut: () => forget(tx, job, 'operator'),
    }
  );
}

function drainAll(tx: Transaction, job: JobState): Plan | Refusal {
  if (job.phase === 'draining') return NOTHING;
  if (job.phase !== 'running') return notRunning(job, 'drained');
  return {
    changes: [{ what: 'job', from: 'running', to: 'draining' }],
    carryOut: () => void drainJob(tx, job),
  };
}

function drainNode(tx: Transaction, job: JobState, nodeId: NodeState['nodeId']): Plan | Refusal {
  const node = job.nodes.get(nodeId);
  if (node === undefined) return unknownNode(job, nodeId);
  if (node.draining) return NOTHING;
  const to = `draining, ${node.leases.size} leases to finish or give back`;
  return {
    changes: [{ what: `node ${nodeId}`, from: 'working', to }],
    carryOut: () => {
      tx.emit({ type: 'node_draining', job: job.spec.jobId, node: nodeId });
      tx.fact({ event: 'node_draining', jobId: job.spec.jobId, nodeId });
    },
  };
}

function releaseOne(tx: Transaction, job: JobState, id: string): Plan | Refusal {
  const lease = isLeaseId(id) ? job.leases.get(id) : undefined;
  if (lease === undefined) {
    return refused('lease_unknown', `lease ${id} of job ${job.spec.jobId} is not live`);
  }
  return {
    changes: [leaseChange(lease)],
    carryOut: () => returnLease(tx, job, lease, 'revoked', BY_OPERATOR),
  };
}

function releaseNode(tx: Transaction, job: JobState, nodeId: NodeState['nodeId']): Plan | Refusal {
  const node = job.nodes.get(nodeId);
  if (node === undefined) return unknownNode(job, nodeId);
  const leases = leasesOf(job, node);
  const rank = { what: `rank ${node.rank}`, from: `held by ${nodeId}`, to: 'free' };
  return {
    changes: [...leases.map(leaseChange), rank],
    carryOut: () => {
      for (const lease of leases) returnLease(tx, job, lease, 'revoked', BY_OPERATOR);
      leave(tx, job, node, 'released');
    },
  };
}

function pause(tx: Transaction, job: JobState): Plan | Refusal {
  if (job.paused) return NOTHING;
  if (job.phase !== 'running') return notRunning(job, 'paused');
  return {
    changes: [{ what: 'job', from: 'running', to: 'paused' }],
    carryOut: () => {
      tx.emit({ type: 'job_paused', job: job.spec.jobId });
      tx.fact({ event: 'job_paused', jobId: job.spec.jobId });
    },
  };
}

function resume(tx: Transaction, job: JobState): Plan {
  if (!job.paused && job.phase !== 'failed' && job.phase !== 'draining') return NOTHING;
  const from = job.phase === 'running' ? 'paused' : job.phase;
  return {
    changes: [{ what: 'job', from, to: 'running' }],
    carryOut: () => {
      if (job.paused) {
        tx.emit({ type: 'job_unpaused', job: job.spec.jobId });
        tx.fact({ event: 'job_unpaused', jobId: job.spec.jobId });
      }
      resumeJob(tx, job);
    },
  };
}

function tune(
  tx: Transaction,
  job: JobState,
  { nodeId, tuning }: Extract<Operation, { type: 'tune' }>,
): Plan | Refusal {
  const node = nodeId === null ? null : job.nodes.get(nodeId);
  if (node === undefined) return unknownNode(job, String(nodeId));
  const nodes = node === null ? [...job.nodes.values()] : [node];
  const changes: Change[] = [];
  for (const one of nodes) {
    const plan = tuneOne(one, tuning);
    if ('type' in plan) return plan;
    changes.push(...plan);
  }
  if (node === null && nodes.length === 0) {
    for (const [name, to] of setCaps(tuning)) {
      changes.push({
        what: `nodes to come ${name}`,
        from: String(job.tuning[name] ?? 'as started'),
        to: String(to),
      });
    }
  }
  const { jobId } = job.spec;
  return {
    changes,
    carryOut: () => {
      if (node !== null) tx.emit({ type: 'node_tuned', job: jobId, node: node.nodeId, tuning });
      else tx.emit({ type: 'job_tuned', job: jobId, tuning });
      for (const one of nodes) tuned(tx, job, one);
    },
  };
}

/** What the caps of one node become, or why they may not. */
function tuneOne(node: NodeState, tuning: Tuning): readonly Change[] | Refusal {
  const present = presentTuning(node);
  const changes: Change[] = [];
  for (const [name, to] of setCaps(tuning)) {
    const from = present[name];
    const bad = capRefusal(node, name, from, to);
    if (bad !== null) return bad;
    // What a node came to by itself it may leave by itself; from now on it stays.
    const isOwn = node.tuning[name] === null;
    if (from === to && !isOwn) continue;
    const before = from === to ? `${from} of its own` : String(from);
    changes.push({ what: `node ${node.nodeId} ${name}`, from: before, to: String(to) });
  }
  return changes;
}

function capRefusal(node: NodeState, name: keyof Tuning, from: number, to: number): Refusal | null {
  if (!(Number.isSafeInteger(to) && to >= 1 && to <= TUNING_MAX[name])) {
    return refused(
      'field_invalid',
      `${name} takes a whole number from 1 to ${TUNING_MAX[name]}, got ${to}`,
    );
  }
  if (name === 'maxInflightBytes' && to > node.caps.maxRamBytes) {
    return refused(
      'caps_conflict',
      `maxInflightBytes ${to} is more than node ${node.nodeId} may use at all (${node.caps.maxRamBytes} bytes); restart it with a higher RAM cap first`,
    );
  }
  const most = Math.max(1, from) * RAISE_FACTOR_MAX;
  if (to <= most) return null;
  return refused(
    'step_too_large',
    `${name} of node ${node.nodeId} is ${from}: raise it to at most ${most} at a time, look at its memory, and go on from there; got ${to}`,
  );
}

/** What the node works with now: what it was tuned to, else what it says, else what it was started with. */
function presentTuning(node: NodeState): Readonly<Record<keyof Tuning, number>> {
  const { stats, caps, tuning } = node;
  return {
    want: tuning.want ?? Math.max(1, stats.effectiveWant),
    maxInflightBytes: tuning.maxInflightBytes ?? caps.maxInflightBytes,
    prefetchBatches: tuning.prefetchBatches ?? Math.max(1, stats.effectivePrefetchBatches),
    maxQueueBatches: tuning.maxQueueBatches ?? Math.max(1, stats.effectiveMaxQueueBatches),
  };
}

function setCaps(tuning: Tuning): readonly (readonly [keyof Tuning, number])[] {
  const names = ['want', 'maxInflightBytes', 'prefetchBatches', 'maxQueueBatches'] as const;
  return names.flatMap((name) => {
    const value = tuning[name];
    return value === null ? [] : [[name, value] as const];
  });
}

function leasesOf(job: JobState, node: NodeState): readonly LeaseState[] {
  return [...node.leases].flatMap((id) => job.leases.get(id) ?? []);
}

function leaseChange({ leaseId, nodeId, cursor, end }: LeaseState): Change {
  return {
    what: `lease ${leaseId}`,
    from: `held by ${nodeId}`,
    to: `[${cursor}, ${end}) requeued`,
  };
}

function unknownNode(job: JobState, nodeId: string): Refusal {
  const known = [...job.nodes.keys()].slice(0, 10).join(', ');
  const hint = known === '' ? 'none is' : `these are: ${known}`;
  return refused(
    'node_not_registered',
    `node ${nodeId} is not registered with job ${job.spec.jobId}; ${hint}`,
  );
}

function notRunning(job: JobState, wanted: string): Refusal {
  return refused('job_over', `job ${job.spec.jobId} is ${job.phase} and cannot be ${wanted}`);
}
