/**
 * Invariants 14, 17: a node that was heard of within a TTL, on the clock of the coordinator that decides,
 * is neither dropped as silent nor replaced by another process with its id, unless its session broke.
 */
import type { LandedRecord } from '../truth/truth.ts';
import type { World } from '../world/world.ts';
import type { LeaseTime } from './lease-time.ts';

interface Heard {
  readonly instance: string | null;
  readonly epoch: number;
  readonly atMs: number;
}

export class NodeTime {
  readonly #world: World;
  readonly #leaseTime: LeaseTime;
  /** By job and node: when it last asked something that was answered. */
  readonly #heard: Map<string, Heard> = new Map<string, Heard>();
  /** Instances whose session broke, by the epoch in which they were said to. */
  readonly #broken: Map<string, number> = new Map<string, number>();

  constructor(world: World, leaseTime: LeaseTime) {
    this.#world = world;
    this.#leaseTime = leaseTime;
  }

  heard(job: string, node: string, heard: Heard): void {
    const key = `${job} ${node}`;
    const before = this.#heard.get(key);
    if (before?.epoch === heard.epoch && before.atMs > heard.atMs) return;
    this.#heard.set(key, heard);
  }

  broken(instance: string, epoch: number): void {
    this.#broken.set(instance, epoch);
  }

  onRecord({ record, epoch, twin }: LandedRecord): void {
    if (twin === null) return;
    if (record.type === 'rank_released' && record.reason === 'heartbeat_timeout') {
      this.#expectSilence(twin.spec.leaseTtlMs, record.job, record.node, epoch, 'is dropped');
    } else if (record.type === 'node_registered') {
      const known = twin.nodes.get(record.node);
      if (known === undefined || known.instance === record.instance) return;
      if (known.instance !== null && this.#broken.has(known.instance)) return;
      this.#expectSilence(twin.spec.leaseTtlMs, record.job, record.node, epoch, 'is replaced');
    }
  }

  #expectSilence(ttlMs: number, job: string, node: string, epoch: number, what: string): void {
    const heard = this.#heard.get(`${job} ${node}`);
    const nowMs = this.#leaseTime.nowOf(epoch);
    if (heard?.epoch !== epoch || nowMs === null) return;
    const silentMs = nowMs - heard.atMs;
    if (silentMs >= ttlMs) return;
    this.#world.fail(
      'live nodes stay',
      `${node} ${what} ${Math.round(silentMs)} ms after it asked`,
    );
  }
}
