/** A span for each lease from its grant to its end, with its commits as events. Only while somebody collects. */
import type { Fact, LeaseFact } from '../core/job/protocol.ts';
import type { Span, Tracer } from '../ports/tracer.ts';

const ENDINGS: ReadonlySet<Fact['event']> = new Set<Fact['event']>([
  'lease_completed',
  'lease_expired',
  'lease_revoked',
  'lease_superseded',
  'lease_released',
]);

export class LeaseSpans {
  readonly #tracer: Tracer;
  /** As many as there are leases. */
  readonly #open: Map<string, Span> = new Map<string, Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  add(facts: readonly Fact[]): void {
    if (!this.#tracer.isOn) return;
    for (const fact of facts) this.#add(fact);
  }

  /** This process leads no more: what happens to the leases from now on others see. */
  end(): void {
    for (const span of this.#open.values()) span.end();
    this.#open.clear();
  }

  #add(fact: Fact): void {
    if (fact.event === 'node_registered') {
      const attributes = { 'mx8.job_id': fact.jobId, 'mx8.node_id': fact.nodeId };
      this.#tracer.start('mx8.register', null, { ...attributes, 'mx8.rank': fact.rank }).end();
      return;
    }
    if (!('leaseId' in fact)) return;
    if (fact.event === 'lease_granted') {
      const span = this.#tracer.start('mx8.lease', fact, {
        'mx8.node_id': fact.nodeId,
        'mx8.start': fact.start,
        'mx8.end': fact.end,
      });
      this.#open.set(keyOf(fact), span);
      return;
    }
    const span = this.#open.get(keyOf(fact));
    if (span === undefined) return;
    if (fact.event === 'output_committed') {
      span.event(fact.event, { 'mx8.from': fact.from, 'mx8.to': fact.to, 'mx8.rows': fact.rows });
    }
    if (!ENDINGS.has(fact.event)) return;
    this.#open.delete(keyOf(fact));
    span.set({ 'mx8.ended_by': fact.event });
    if (fact.event === 'lease_expired') span.end('nobody renewed it in time');
    else span.end();
  }
}

function keyOf({ jobId, leaseId }: LeaseFact): string {
  return `${jobId} ${leaseId}`;
}
