/**
 * What durable progress costs with a million ranges against a thousand: two writers in one process that
 * take turns, so that whatever else the machine does hits both. 256 leases are in flight at each; a
 * lease is reported on a thousand times, then completed and replaced by the next of the shuffled order.
 * Snapshots fall where they fall, and are part of the cost.
 */
import { join } from 'node:path';

import type { Command, Lease, Reply } from '../src/core/job/protocol.ts';
import { type Bed, createJob, from, NODES, openBed, progress, takeLeases } from './writer-bed.ts';

const IN_FLIGHT = 256;
const OPERATIONS_A_TURN = 10_000;
const TURNS = 40;
const WARM_UP_TURNS = 4;
const REPORTS_A_LEASE = 1000;

export interface RangeCost {
  /** Operations a second with a thousand ranges. */
  readonly operationsPerSecond: number;
  /** Of a million ranges to a thousand: processor time of all turns. */
  readonly cpuRatio: number;
  /** The same of the time that passed: the median turn, since others use the machine and the disk. */
  readonly wallRatio: number;
  readonly snapshots: number;
}

export async function rangeCost(folder: string): Promise<RangeCost> {
  const small = await Side.open(join(folder, 'thousand.sqlite'), 1000);
  const large = await Side.open(join(folder, 'million.sqlite'), 1_000_000);
  const ratios: number[] = [];
  for (let turn = 0; turn < WARM_UP_TURNS + TURNS; turn += 1) {
    if (turn === WARM_UP_TURNS) for (const side of [small, large]) side.forget();
    // Who goes first changes, so that what one leaves behind is not always the other's to clean up.
    const [first, second] = turn % 2 === 0 ? [small, large] : [large, small];
    await first.turn();
    await second.turn();
    if (turn >= WARM_UP_TURNS) ratios.push(large.lastMs / small.lastMs);
  }
  const snapshots =
    small.bed.writer.figures.snapshotsTaken + large.bed.writer.figures.snapshotsTaken;
  await small.bed.close();
  await large.bed.close();
  return {
    operationsPerSecond: (TURNS * OPERATIONS_A_TURN * 1000) / small.totalMs,
    cpuRatio: large.cpuMicros / small.cpuMicros,
    wallRatio: ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? 0,
    snapshots,
  };
}

interface Held {
  readonly lease: Lease;
  readonly reports: number;
}

class Side {
  readonly bed: Bed;
  readonly #held: Held[];
  lastMs = 0;
  totalMs = 0;
  cpuMicros = 0;

  private constructor(bed: Bed, leases: readonly Lease[]) {
    this.bed = bed;
    this.#held = leases.map((lease) => ({ lease, reports: 0 }));
  }

  static async open(path: string, ranges: number): Promise<Side> {
    const bed = await openBed(path);
    await createJob(bed.writer, ranges);
    // The order of a million blocks is worked out once, at the first lease: part of a restart's figure.
    return new Side(bed, await takeLeases(bed.writer, IN_FLIGHT));
  }

  forget(): void {
    this.totalMs = 0;
    this.cpuMicros = 0;
  }

  async turn(): Promise<void> {
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    let left = OPERATIONS_A_TURN;
    const flight = async (index: number): Promise<void> => {
      for (; left > 0;) {
        left -= 1;
        await this.#operation(index);
      }
    };
    await Promise.all(this.#held.map((_, index) => flight(index)));
    const { user, system } = process.cpuUsage(cpuBefore);
    this.lastMs = performance.now() - startMs;
    this.totalMs += this.lastMs;
    this.cpuMicros += user + system;
  }

  async #operation(index: number): Promise<void> {
    const held = this.#held[index];
    if (held === undefined) throw new Error('every flight has a lease');
    if (held.reports === REPORTS_A_LEASE) {
      const want = { type: 'request_lease', ...from(index % NODES), want: 1, held: null } as const;
      const [lease] = (await this.#ask(want, 'leases')).leases;
      if (lease === undefined) throw new Error('there is a range left');
      this.#held[index] = { lease, reports: 0 };
      return;
    }
    const reports = held.reports + 1;
    const { start, end } = held.lease.range;
    this.#held[index] = { ...held, reports };
    const cursor = reports === REPORTS_A_LEASE ? end : start + reports;
    await this.#ask(progress(held.lease, cursor), 'accepted');
  }

  async #ask<T extends Reply['type']>(
    command: Command,
    type: T,
  ): Promise<Extract<Reply, { readonly type: T }>> {
    const reply = await this.bed.writer.submit(command);
    if (reply.type !== type) throw new Error(JSON.stringify(reply));
    return reply as Extract<Reply, { readonly type: T }>;
  }
}
