/** A worker of the world of `node-world.ts`. */
import assert from 'node:assert/strict';
import { monoMs } from '../../src/core/base/units.ts';
import type { WorkOrder } from '../../src/core/node/crew-protocol.ts';
import type { StagedPiece } from '../../src/core/node/holder-protocol.ts';
import type { NodeEvent } from '../../src/core/node/node-machine.ts';
import type { SimNode } from './node-world.ts';

/** Reads batches of three samples, stages every second batch. */
export class SimWorker {
  readonly node: SimNode;
  readonly slot: number;
  readonly incarnation: number;
  alive = true;
  order: WorkOrder | null = null;
  stopping: 'flush' | 'drop' | null = null;
  cursor = 0;
  stagedTo = 0;

  constructor(node: SimNode, slot: number, incarnation: number) {
    this.node = node;
    this.slot = slot;
    this.incarnation = incarnation;
    this.later(10, () => this.tell({ type: 'worker_ready', slot, incarnation }));
  }

  tell(event: { readonly type: string } & Record<string, unknown>): void {
    if (!this.alive) return;
    this.node.tell({ ...event, nowMs: monoMs(this.node.world.nowMs) } as NodeEvent);
  }

  later(delayMs: number, run: () => void): void {
    this.node.world.after(delayMs, () => {
      if (this.alive) run();
    });
  }

  die(message: string): void {
    const { slot, incarnation } = this;
    const end = { code: 'worker_crashed' as const, message };
    this.node.world.after(5, () => {
      if (!this.alive) return;
      this.tell({ type: 'worker_exited', slot, incarnation, end });
      this.alive = false;
    });
  }

  take(order: WorkOrder): void {
    assert(this.order === null, 'a worker has one order at a time');
    this.order = order;
    this.stopping = null;
    this.cursor = order.start;
    this.stagedTo = order.start;
    this.later(1, () => this.batch());
  }

  stop(workId: number, flush: boolean): void {
    if (this.order?.workId === workId) this.stopping = flush ? 'flush' : 'drop';
  }

  batch(): void {
    const { order, node } = this;
    if (order === null) return;
    const { workId } = order;
    if (this.stopping !== null || this.cursor === order.end) {
      if (this.stopping !== 'drop') this.stage(order);
      this.order = null;
      this.tell({ type: 'work_done', workId });
      return;
    }
    const singly =
      order.singly !== null && this.cursor >= order.singly.start && this.cursor < order.singly.end;
    const end = Math.min(order.end, this.cursor + (singly ? 1 : 3));
    this.tell({ type: 'batch_begun', workId, start: this.cursor, end });
    const { world } = node;
    if (world.happens('standstill')) return;
    if (world.happens('death') || this.chokes(order, this.cursor, end)) {
      this.die('it died');
      return;
    }
    this.later(world.chance.fraction() * node.batchMsMax, () => {
      const samples = end - this.cursor;
      for (let id = this.cursor; id < end; id += 1) world.delivered.add(id);
      this.cursor = end;
      this.tell({ type: 'batch_done', workId, cursor: end, samples, bytes: samples });
      if (singly || end % 2 === 0) this.stage(order);
      this.batch();
    });
  }

  chokes(order: WorkOrder, start: number, end: number): boolean {
    const known = new Set(order.poisoned.map((sample) => sample.sampleId));
    const { poison } = this.node.world.scene.faults;
    return poison.some((id) => id >= start && id < end && !known.has(id));
  }

  stage(order: WorkOrder): void {
    if (!this.node.world.scene.stages || this.cursor === this.stagedTo) return;
    const ids = order.poisoned.map((sample) => sample.sampleId);
    const quarantined = ids.filter((id) => id >= this.stagedTo && id < this.cursor);
    quarantined.sort((a, b) => a - b);
    const { leaseId, workId } = order;
    const rows = this.cursor - this.stagedTo - quarantined.length;
    const piece: StagedPiece = {
      leaseId,
      start: this.stagedTo,
      end: this.cursor,
      rows,
      bytes: rows,
      quarantined,
    };
    this.stagedTo = this.cursor;
    this.node.staged.add(`${leaseId}:${piece.start}-${piece.end}`);
    this.tell({ type: 'piece_staged', workId, piece });
  }
}
