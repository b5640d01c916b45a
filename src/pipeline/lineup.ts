/**
 * The batches between the source and the consumer, in order of delivery:
 *
 *   planned ─▶ reading ─▶ read ─▶ (delivered)
 *   left ────────────────▶
 *
 * One that is `left` is read by the consumer when it comes to it.
 * A batch that turns out to hold fewer records than planned sends every later one back: those are
 * `void` and their records are planned again.
 */
import type { ReadResult } from '../storage/read-job.ts';
import type { BatchPlan } from './planner.ts';
import { partOf } from './record-queue.ts';
import type { Stretch } from './record-queue.ts';
import type { Slab } from './slab-pool.ts';

export interface InLine {
  readonly plan: BatchPlan;
  state: 'planned' | 'left' | 'reading' | 'read' | 'void';
  /** Records it holds; fewer than planned where the byte target ended it. */
  count: number;
  /** Present once it is read. */
  outcome: { readonly slab: Slab; readonly result: ReadResult } | null;
}

export class Lineup {
  #batches: InLine[] = [];

  add(plan: BatchPlan): InLine {
    const count = plan.stretch.table.length;
    const batch: InLine = { plan, state: 'planned', count, outcome: null };
    this.#batches.push(batch);
    return batch;
  }

  get length(): number {
    return this.#batches.length;
  }

  get first(): InLine | undefined {
    return this.#batches[0];
  }

  /** Batches at the front that the consumer could have one after the other. */
  get readyCount(): number {
    const first = this.#batches.findIndex(({ state }) => state !== 'read');
    return first === -1 ? this.#batches.length : first;
  }

  /** Batches that are read, also those behind one that is not. */
  get readCount(): number {
    return this.#batches.length - this.unreadCount;
  }

  get unreadCount(): number {
    let count = 0;
    for (const { state } of this.#batches) if (state !== 'read') count += 1;
    return count;
  }

  /** The next one for the consumer, once it is read. */
  takeFirst(): InLine | null {
    const first = this.#batches[0];
    if (first?.state !== 'read') return null;
    // Far quicker than shifting, and nearly always so where the consumer reads batches itself.
    if (this.#batches.length === 1) this.#batches.pop();
    else this.#batches.shift();
    return first;
  }

  /**
   * Keeps the first `count` records of `batch` (none: the batch goes too) and voids every batch after
   * it. Answers what was voided and the records that are to be planned again, in order.
   */
  cutBack(
    batch: InLine,
    count: number,
  ): { readonly voided: readonly InLine[]; readonly stretches: readonly Stretch[] } {
    const index = this.#batches.indexOf(batch);
    const voided = this.#batches.splice(count === 0 ? index : index + 1);
    const stretches: Stretch[] = [];
    if (count > 0) {
      stretches.push(partOf(batch.plan.stretch, count, batch.count));
      batch.count = count;
    }
    for (const other of voided) {
      stretches.push(partOf(other.plan.stretch, 0, other.count));
      other.state = 'void';
    }
    return { voided, stretches };
  }

  /** Empties the line. */
  clear(): readonly InLine[] {
    const all = this.#batches;
    this.#batches = [];
    for (const batch of all) batch.state = 'void';
    return all;
  }
}
