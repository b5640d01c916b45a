/**
 * How many samples each node has delivered since this process leads, counted from facts: the state keeps
 * cursors of leases, not who moved them over time. Costs one map look-up a fact, whoever looks.
 */
import type { JobId, NodeId } from '../core/base/units.ts';
import type { Fact } from '../core/job/protocol.ts';

const ENDINGS: ReadonlySet<Fact['event']> = new Set<Fact['event']>([
  'lease_completed',
  'lease_expired',
  'lease_revoked',
  'lease_released',
]);

export class NodeThroughput {
  /** How far each live lease was delivered, as far as it was told. As many as there are leases. */
  readonly #cursors: Map<string, number> = new Map<string, number>();
  readonly #delivered: Map<JobId, Map<NodeId, number>> = new Map();

  addFacts(facts: readonly Fact[]): void {
    for (const fact of facts) this.#add(fact);
  }

  /** Samples by node; nodes that left are forgotten. */
  deliveredBy(jobId: JobId): ReadonlyMap<NodeId, number> {
    return this.#delivered.get(jobId) ?? new Map();
  }

  /** This process leads no more: what happens from now on others see. */
  end(): void {
    this.#cursors.clear();
    this.#delivered.clear();
  }

  #add(fact: Fact): void {
    if (fact.event === 'rank_released') this.#delivered.get(fact.jobId)?.delete(fact.nodeId);
    if (!('leaseId' in fact)) return;
    const { jobId, nodeId, leaseId } = fact;
    const key = `${jobId} ${leaseId}`;
    const at = reached(fact);
    if (at !== null) {
      const before = this.#cursors.get(key);
      // Where a lease stood that was granted before this process led is not known at its first report.
      if (before !== undefined) this.#count(jobId, nodeId, Math.max(0, at - before));
      this.#cursors.set(key, Math.max(before ?? at, at));
    }
    if (ENDINGS.has(fact.event)) this.#cursors.delete(key);
  }

  #count(jobId: JobId, nodeId: NodeId, samples: number): void {
    const delivered = this.#delivered.get(jobId) ?? new Map<NodeId, number>();
    this.#delivered.set(jobId, delivered);
    delivered.set(nodeId, (delivered.get(nodeId) ?? 0) + samples);
  }
}

/** How far the fact says that the lease has come; null where it says nothing of that. */
function reached(fact: Fact): number | null {
  switch (fact.event) {
    case 'lease_granted':
      return fact.start;
    case 'progress':
      return fact.cursor;
    case 'output_committed':
      return fact.to;
    default:
      return null;
  }
}
