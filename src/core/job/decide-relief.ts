/**
 * Relief of slow nodes: a node that asks for work when all of it is held takes some from one that would
 * need far longer for what it holds. See docs/decisions/0019.
 *
 * - A lease of which nothing is known to be done, and that is not the oldest of its node, is taken whole:
 *   revoked there and leased here. At worst a batch that a second worker has in hand is done twice.
 * - Of another the tail is split off, beyond what was delivered and what may be in hand; the
 *   holder learns from the answer to its next report, and commits beyond the new end are refused.
 * - What is too short to be split is done twice where the shell allows it: both hold it, the first to commit
 *   takes all that is left, and the other's token is stale.
 *
 * Only of jobs that commit outputs: there a sample counts once whoever has worked on it. In others a report
 * says what was consumed, and the holder could have consumed beyond the cut before it hears of it. Only
 * between v1 nodes: v0 has no word for a lease that got shorter.
 *
 * Everything here is judged from what reports have shown (`Pace`), so a wrong guess costs work done twice
 * and nothing else.
 */
import { addMs, type MonoMs, type NodeId } from '../base/units.ts';
import { grantNext, leaseFact, returnLease } from './decide-leases.ts';
import type { JobState, LeaseState, NodeState } from './job-state.ts';
import type { Lease } from './protocol.ts';
import type { Transaction } from './transaction.ts';

/** A node is slow for another that is this many times as fast, and takes from it what it ends this much sooner. */
export const SLOW_FACTOR = 2;

/** Whoever is done with all it holds within this is left alone: its reports are about as old as that. */
export const RELIEF_MIN_MS = 1_000;

/** Who may be worth a look is found anew this often, whoever asks. */
export const RELIEF_LOOK_MS = 100;

/** What is left to the holder is at least this many of its moves, so that it hears of the cut in time. */
const MOVES_LEFT = 2;

interface Slow {
  readonly node: NodeState;
  readonly needsMs: number;
}

/** A lease for the asking node that a much slower one held until now, all of it or its tail; or null. */
export function relieve(tx: Transaction, job: JobState, asking: NodeState): Lease | null {
  const { nowMs, relief } = tx.context;
  if (relief === 'off' || !job.spec.commitsOutputs || asking.instanceId === null) return null;
  for (const slow of slowNodes(job, asking, nowMs)) {
    const lease = takeFrom(tx, job, asking, slow);
    if (lease !== null) return lease;
  }
  return null;
}

/** Those that are slow for the asking node, the one that needs longest first. */
function slowNodes(job: JobState, asking: NodeState, nowMs: MonoMs): readonly Slow[] {
  const pace = asking.pace.samplesPerMs(nowMs);
  const slow: Slow[] = [];
  for (const id of busyNodes(job, nowMs)) {
    const node = job.nodes.get(id);
    if (node === undefined || node === asking) continue;
    const itsPace = node.pace.samplesPerMs(nowMs);
    if (pace !== null && itsPace !== null && itsPace * SLOW_FACTOR > pace) continue;
    const needsMs = timeFor(job, node, nowMs);
    if (needsMs >= RELIEF_MIN_MS) slow.push({ node, needsMs });
  }
  return slow.sort((a, b) => b.needsMs - a.needsMs);
}

/** Looked for now and then: at the end of a large job all its nodes ask, again and again. */
function busyNodes(job: JobState, nowMs: MonoMs): readonly NodeId[] {
  if (nowMs >= job.busy.untilMs) {
    const busy = [...job.nodes.values()].filter(
      (node) =>
        node.leases.size > 0 &&
        node.instanceId !== null &&
        timeFor(job, node, nowMs) >= RELIEF_MIN_MS,
    );
    const untilMs = addMs(nowMs, RELIEF_LOOK_MS);
    job.busy = { nodes: busy.map(({ nodeId }) => nodeId), untilMs };
  }
  return job.busy.nodes;
}

/** How long the node needs for all that it holds, going on as it did. */
function timeFor(job: JobState, node: NodeState, nowMs: MonoMs): number {
  const pace = node.pace.samplesPerMs(nowMs);
  return pace === null ? node.pace.workedMs(nowMs) : samplesLeft(job, node) / pace;
}

function samplesLeft(job: JobState, node: NodeState): number {
  let samples = 0;
  for (const lease of leasesOf(job, node)) {
    // What another node does too is not waited for.
    if (lease.doubledBy === null) samples += lease.end - lease.deliveredCursor;
  }
  return samples;
}

/** In order of grant, as a node works on them. */
function leasesOf(job: JobState, node: NodeState): readonly LeaseState[] {
  return [...node.leases].flatMap((id) => job.leases.get(id) ?? []);
}

function takeFrom(tx: Transaction, job: JobState, asking: NodeState, slow: Slow): Lease | null {
  const { nowMs } = tx.context;
  const leases = leasesOf(job, slow.node);
  for (const lease of leases.toReversed()) {
    if (lease.doubles !== null || lease.doubledBy !== null) continue;
    if (lease !== leases[0] && lease.deliveredCursor === lease.start) {
      if (!isWorthIt(job, asking, slow, lease.end - lease.start, nowMs)) continue;
      const reason = `node ${slow.node.nodeId} is slow, and node ${asking.nodeId} waits for work`;
      returnLease(tx, job, lease, 'revoked', reason);
      return grantNext(tx, job, asking);
    }
    const at = cutOf(asking, slow.node, lease, nowMs);
    if (at !== null) {
      if (isWorthIt(job, asking, slow, lease.end - at, nowMs)) {
        return split(tx, job, asking, lease, at);
      }
    } else if (tx.context.relief === 'double') {
      if (isWorthIt(job, asking, slow, lease.end - lease.cursor, nowMs)) {
        return double(tx, job, asking, lease);
      }
    }
  }
  return null;
}

/** Whether the asking node, after what it holds itself, is done with so many samples far sooner. */
function isWorthIt(
  job: JobState,
  asking: NodeState,
  slow: Slow,
  samples: number,
  nowMs: MonoMs,
): boolean {
  const pace = asking.pace.samplesPerMs(nowMs);
  // Nothing is known of a node that is new or has waited since a fail-over: it helps where much is left.
  if (pace === null) return slow.needsMs >= job.spec.leaseTtlMs;
  const needsMs = (samplesLeft(job, asking) + samples) / pace;
  return slow.needsMs >= SLOW_FACTOR * needsMs;
}

/** Where to cut the lease so that both are done at the same time; null when it is too short for that. */
function cutOf(
  asking: NodeState,
  holder: NodeState,
  lease: LeaseState,
  nowMs: MonoMs,
): number | null {
  const [theirs, ours] = [holder.pace.samplesPerMs(nowMs), asking.pace.samplesPerMs(nowMs)];
  // Before its first move nobody knows what it has in hand.
  if (theirs === null) return null;
  const left = lease.end - lease.deliveredCursor;
  const share = ours === null ? 0.5 : theirs / (theirs + ours);
  const kept = Math.max(Math.ceil(left * share), MOVES_LEFT * holder.pace.largestMove);
  const at = lease.deliveredCursor + kept;
  return at < lease.end ? at : null;
}

function split(
  tx: Transaction,
  job: JobState,
  asking: NodeState,
  lease: LeaseState,
  at: number,
): Lease {
  const { end } = lease;
  const { jobId } = job.spec;
  const { nodeId } = asking;
  const id = tx.emit({ type: 'lease_split', job: jobId, lease: lease.leaseId, at, node: nodeId });
  const tail = { leaseId: id, nodeId, range: { start: at, end }, cursor: at };
  const fact = leaseFact(job, lease);
  tx.fact({ event: 'lease_split', ...fact, tailLeaseId: id, tailNodeId: nodeId, tailEnd: end });
  tx.fact({ event: 'lease_granted', ...leaseFact(job, { leaseId: id, nodeId, start: at, end }) });
  return tail;
}

function double(tx: Transaction, job: JobState, asking: NodeState, lease: LeaseState): Lease {
  const { jobId } = job.spec;
  const { nodeId } = asking;
  const { cursor, end, leaseId } = lease;
  const id = tx.emit({ type: 'lease_doubled', job: jobId, lease: leaseId, node: nodeId });
  const twin = { leaseId: id, nodeId, range: { start: cursor, end }, cursor };
  const fact = leaseFact(job, lease);
  tx.fact({ event: 'lease_doubled', ...fact, doubleLeaseId: id, doubleNodeId: nodeId, cursor });
  tx.fact({
    event: 'lease_granted',
    ...leaseFact(job, { leaseId: id, nodeId, start: cursor, end }),
  });
  return twin;
}
