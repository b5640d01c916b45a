/**
 * Batches that the consumer reads itself, and those that others read beside it meanwhile:
 *
 *   line   [ left left reading reading ]   the consumer reads the first two while a thread reads the others
 *          [ read read ]                   … and finds those read when it comes to them
 *
 * So two processors copy at once, and the consumer waits for nobody as long as both are as fast.
 */
import { must } from '../core/base/assert.ts';
import type { FilledSlab } from '../storage/reader-threads.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import type { InLine, Lineup } from './lineup.ts';
import { placeIn } from './planner.ts';
import type { Planner } from './planner.ts';
import type { Slab, SlabPool } from './slab-pool.ts';
import type { WaitMeter } from './wait-meter.ts';

/** Batches that are read beside the consumer at a time; it reads as many itself meanwhile. */
const BESIDE_MAX = 3;

export interface OwnBatchesParts {
  readonly planner: Planner;
  readonly lineup: Lineup;
  readonly slabs: SlabPool;
  readonly reader: SampleReader;
  readonly wait: WaitMeter;
  /** Sends back what of a batch, and after it, is to be planned again. */
  readonly cutBack: (batch: InLine, count: number) => void;
  /** Takes a batch as being read. */
  readonly begun: (batch: InLine, slab: Slab, filling: Promise<FilledSlab>) => void;
}

export class OwnBatches {
  readonly #parts: OwnBatchesParts;

  constructor(parts: OwnBatchesParts) {
    this.#parts = parts;
  }

  /** Whether records have to be waited for before the next batch can be read. */
  get isShort(): boolean {
    return this.#parts.lineup.length === 0 && this.#parts.planner.isShort;
  }

  /** The next batch, read here and now; null where that cannot be, and then it is to be planned again. */
  read(): InLine | null {
    const { lineup, slabs, reader, planner, wait, cutBack } = this.#parts;
    if (lineup.length === 0) this.#plan(1);
    const batch = lineup.first;
    if (batch === undefined) return null;
    const slab = slabs.takeNow(batch.plan.slabBytes);
    if (slab !== null) placeIn(slabs, slab, batch.plan);
    wait.start();
    const result = slab === null ? null : reader.fillNow(batch.plan.job, slab.buffer);
    const ms = wait.stop();
    const count = result === null ? 0 : planner.settle(batch.plan, result);
    if (count < batch.count) cutBack(batch, count);
    if (slab === null || result === null || count === 0) {
      if (slab !== null) slabs.release(slab);
      return null;
    }
    slabs.startOf(slab).observe(ms / batch.plan.slabBytes);
    batch.state = 'read';
    batch.outcome = { slab, result };
    return must(lineup.takeFirst(), 'the first batch was read');
  }

  /** Shares the next batches between the consumer and others, of whom it is asked to have at most so many. */
  share(besideMax: number): void {
    const { lineup, slabs, reader, begun } = this.#parts;
    if (lineup.unreadCount > 0) return;
    const beside = Math.min(besideMax, BESIDE_MAX);
    if (beside < 1) return;
    this.#plan(beside);
    const own = lineup.unreadCount;
    const placed: { readonly batch: InLine; readonly slab: Slab }[] = [];
    for (const batch of this.#plan(beside)) {
      const slab = slabs.takeNow(batch.plan.slabBytes);
      if (slab === null) break;
      placeIn(slabs, slab, batch.plan);
      placed.push({ batch, slab });
    }
    if (own === 0 || placed.length === 0) return;
    const jobs = placed.map(({ batch, slab }) => ({ job: batch.plan.job, slab: slab.buffer }));
    for (const [index, filling] of reader.fillBeside(jobs).entries()) {
      const { batch, slab } = must(placed[index], 'there is an answer for each job');
      begun(batch, slab, filling);
    }
  }

  /** Puts up to `count` batches in line that nobody reads yet. */
  #plan(count: number): InLine[] {
    const { planner, lineup } = this.#parts;
    const planned: InLine[] = [];
    while (planned.length < count) {
      const plan = planner.nextNow();
      if (plan === null) break;
      const batch = lineup.add(plan);
      batch.state = 'left';
      planned.push(batch);
    }
    return planned;
  }
}
