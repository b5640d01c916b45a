/** Whether a job gets on, and if not, why and what to do: one judgement for every screen. */
import type { JobFigures, NodeView } from '../core/job/protocol.ts';
import { countedText, durationText } from './format.ts';
import type { LeaseFigures, ViewLimits } from './looks.ts';

/**
 * - `healthy`: it gets on, or it is done.
 * - `degraded`: it gets on, but something needs a look.
 * - `stalled`: nothing gets on, and nothing will by itself.
 */
export type HealthState = 'healthy' | 'degraded' | 'stalled';

export interface Health {
  readonly state: HealthState;
  /** A sentence; '' where there is nothing to say. */
  readonly reason: string;
  /** What somebody should do about it; '' where nothing. */
  readonly remedy: string;
}

export interface Evidence {
  readonly snapshot: JobFigures;
  readonly nodes: readonly (NodeView & { readonly isStale: boolean })[];
  readonly leases: LeaseFigures;
  /** How long no further sample has been finished, as far as we watched. */
  readonly stillMs: number;
  readonly limits: ViewLimits;
}

const HEALTHY: Health = { state: 'healthy', reason: '', remedy: '' };

/** The first rule that has something to say decides; graver ones stand first. */
const RULES: readonly ((evidence: Evidence) => Health | null)[] = [
  failed,
  finished,
  drainedByHand,
  paused,
  noNodes,
  waitingForNodes,
  allNodesSilent,
  allLeasesStill,
  nothingMoves,
  someNodesSilent,
  someLeasesStill,
  quarantinedSamples,
];

export function judgeHealth(evidence: Evidence): Health {
  for (const rule of RULES) {
    const health = rule(evidence);
    if (health !== null) return health;
  }
  return HEALTHY;
}

function failed({ snapshot }: Evidence): Health | null {
  if (snapshot.phase !== 'failed') return null;
  const { code, message } = snapshot.failure ?? {
    code: 'job_failed',
    message: 'no cause is known',
  };
  return {
    state: 'stalled',
    reason: `The job failed: ${message} [${code}]`,
    remedy:
      'Mend the cause, then let it go on: mx8 resume and new agents, or run it again with --resume.',
  };
}

function finished({ snapshot, nodes }: Evidence): Health | null {
  if (snapshot.phase === 'completed') return HEALTHY;
  // What is committed has yet to be published, and only a node can do that.
  return snapshot.jobDrained && nodes.some((node) => !node.isStale) ? HEALTHY : null;
}

function paused({ snapshot, leases }: Evidence): Health | null {
  if (!snapshot.paused) return null;
  return {
    state: 'degraded',
    reason: `An operator paused the job: ${countedText(leases.count, 'lease')} may still finish, no further one is granted.`,
    remedy: 'Let it go on with mx8 resume.',
  };
}

function drainedByHand({ snapshot, leases }: Evidence): Health | null {
  if (snapshot.phase !== 'draining') return null;
  return {
    state: 'degraded',
    reason: `The job is being drained: ${countedText(leases.count, 'lease')} may still finish, no further one is granted.`,
    remedy: 'Let it go on with mx8 resume and new agents, or run it again with --resume.',
  };
}

function noNodes({ snapshot, nodes }: Evidence): Health | null {
  if (nodes.length > 0) return null;
  const before = snapshot.counters.registerTotal > 0;
  const unpublished = 'Every agent has left the job before its output was published.';
  const left = snapshot.jobDrained ? unpublished : 'Every agent has left the job.';
  return {
    state: 'stalled',
    reason: before ? left : 'No agent has registered yet.',
    remedy: 'Start one with: mx8 agent.',
  };
}

function waitingForNodes({ snapshot }: Evidence): Health | null {
  if (snapshot.jobReady) return null;
  const missing = snapshot.spec.minWorldSize - snapshot.registeredNodes;
  return {
    state: 'stalled',
    reason: `The job waits for ${countedText(missing, 'more node')} (min_world_size is ${snapshot.spec.minWorldSize}).`,
    remedy: 'Start the missing agents, or start the job with a smaller --min-world-size.',
  };
}

function allNodesSilent({ nodes }: Evidence): Health | null {
  if (nodes.some((node) => !node.isStale)) return null;
  return {
    state: 'stalled',
    reason: `No node has been heard of for ${durationText(Math.min(...nodes.map((node) => node.heartbeatAgeMs)))}.`,
    remedy: 'Look whether the agents run and reach the coordinator.',
  };
}

function allLeasesStill({ leases }: Evidence): Health | null {
  if (leases.count === 0 || leases.stalledCount < leases.count) return null;
  return {
    state: 'stalled',
    reason: `The nodes live, but no lease has moved for ${durationText(leases.leastStillMs)}.`,
    remedy: 'Look at the logs of the workers: process() may hang or the storage may not answer.',
  };
}

function nothingMoves({ snapshot, leases, stillMs, limits }: Evidence): Health | null {
  if (leases.count > 0 || stillMs < limits.leaseStallMs) return null;
  return {
    state: 'stalled',
    reason: `${countedText(snapshot.availableRanges, 'range')} wait, but no node has asked for one for ${durationText(stillMs)}.`,
    remedy: 'Look at the logs of the agents.',
  };
}

function someNodesSilent({ nodes }: Evidence): Health | null {
  const silent = nodes.filter((node) => node.isStale);
  const first = silent[0];
  if (first === undefined) return null;
  const others = silent.length === 1 ? '' : ` and ${silent.length - 1} more`;
  return {
    state: 'degraded',
    reason: `Node ${first.nodeId}${others} has not been heard of for ${durationText(first.heartbeatAgeMs)}.`,
    remedy: 'Its leases go to other nodes when they expire; look whether it runs.',
  };
}

function someLeasesStill({ leases }: Evidence): Health | null {
  const first = leases.firstStalled;
  if (first === null) return null;
  const others = leases.stalledCount === 1 ? '' : ` and ${leases.stalledCount - 1} more`;
  return {
    state: 'degraded',
    reason: `Lease ${first.leaseId} of node ${first.nodeId}${others} has not moved for ${durationText(first.stillMs)}, at sample ${first.deliveredCursor}.`,
    remedy: 'Look at that node’s log: process() may hang or the storage may not answer.',
  };
}

function quarantinedSamples({ snapshot }: Evidence): Health | null {
  const { quarantined } = snapshot.samples;
  if (quarantined === 0) return null;
  return {
    state: 'degraded',
    reason: `${countedText(quarantined, 'sample')} could not be processed and will be missing from the output.`,
    remedy: 'They are listed beside the output; mend the cause and run them again.',
  };
}
