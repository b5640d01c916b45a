/**
 * Invariants 16, 18: a lease ends by time only a full TTL, on the clock of the coordinator that ends
 * it, after that coordinator began to serve and after the last renewal that it acknowledged; and its
 * node has stopped work on it by then.
 */
import type { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import type { LandedRecord, Truth } from '../truth/truth.ts';
import type { Agent } from '../actors/agent.ts';

interface Reign {
  readonly process: Process;
  readonly sinceMs: number;
}

export class LeaseTime {
  readonly #world: World;
  readonly #truth: Truth;
  readonly #reigns: Map<number, Reign> = new Map<number, Reign>();
  /** By lease: the reign's epoch and its clock when a renewal came that was acknowledged. */
  readonly #renewed: Map<string, { readonly epoch: number; readonly atMs: number }> = new Map<
    string,
    { readonly epoch: number; readonly atMs: number }
  >();
  /** Leases that ended by time before their TTL had passed: the leader's clock leapt. */
  readonly #leapt: Set<string> = new Set<string>();

  constructor(world: World, truth: Truth) {
    this.#world = world;
    this.#truth = truth;
  }

  /** A coordinator has claimed the epoch and replayed the log. */
  begin(epoch: number, process: Process): void {
    this.#reigns.set(epoch, { process, sinceMs: process.nowMs() });
  }

  /** On the clock of the coordinator that holds the epoch. */
  nowOf(epoch: number): number | null {
    return this.#reigns.get(epoch)?.process.nowMs() ?? null;
  }

  acknowledged(leaseId: string, epoch: number, askedAtMs: number): void {
    const before = this.#renewed.get(leaseId);
    if (before !== undefined && before.epoch === epoch && before.atMs >= askedAtMs) return;
    this.#renewed.set(leaseId, { epoch, atMs: askedAtMs });
  }

  onRecord({ record, epoch, twin }: LandedRecord): void {
    if (record.type !== 'lease_returned' && record.type !== 'lease_superseded') return;
    if (record.why !== 'expired' || twin === null) return;
    const reign = this.#reigns.get(epoch);
    if (reign === undefined) return;
    const renewed = this.#renewed.get(record.lease);
    const sinceMs = Math.max(reign.sinceMs, renewed?.epoch === epoch ? renewed.atMs : -Infinity);
    const livedMs = reign.process.nowMs() - sinceMs;
    const { leaseTtlMs } = twin.spec;
    if (livedMs - reign.process.leaptMsSince(sinceMs) < leaseTtlMs) this.#leapt.add(record.lease);
    if (livedMs >= leaseTtlMs) return;
    this.#world.fail(
      'no lease expires early',
      `${record.lease} expires ${Math.round(livedMs)} ms after a renewal or the take-over`,
    );
  }

  /** A node delivers samples of a lease that it holds for live. */
  checkDelivery(agent: Agent, leaseId: string, start: number, end: number): void {
    const lease = this.#truth.leaseOf(agent.jobId, leaseId);
    const name = 'a node keeps to its lease';
    const what = `${agent.process.name} delivers [${start}, ${end}) of lease ${leaseId}`;
    if (lease === undefined || lease.node !== agent.nodeId) {
      this.#world.fail(name, `${what}, which it was not granted`);
    } else if (start < lease.start || end > lease.grantedEnd) {
      this.#world.fail(name, `${what}, which ends at ${lease.grantedEnd}`);
    } else if (lease.ended === 'expired' && !this.#isExcused(leaseId)) {
      this.#world.fail(name, `${what}, which has expired`);
    }
  }
  /** No node can know that the leader's clock counted what never passed; fencing is there for that. */
  #isExcused(leaseId: string): boolean {
    return this.#world.scene.wildClocks || this.#leapt.has(leaseId);
  }
}
