/**
 * Which samples of a job are unissued, leased, committed or quarantined: an exact cover of [0, N).
 *
 * Work is kept by block (the unit of the order), so every operation costs the same with a thousand
 * blocks as with a million: a byte of state per block, a queue of returned ranges, and an interval set
 * only for the few blocks that are partly committed. A range never crosses a block.
 *
 *   unissued --issue--> leased --commit--> committed | quarantined
 *       ^                 |
 *       +----giveBack-----+
 */
import { assert, must } from '../base/assert.ts';
import { IntervalSet } from '../base/interval-set.ts';
import type { SampleRange } from '../base/range.ts';
import { blockOrder } from '../order/block-order.ts';
import type { JobSpec } from './protocol.ts';

const UNISSUED = 0;
const ISSUED = 1;
const DONE = 2;

type OrderSpec = Pick<
  JobSpec,
  'sampleCount' | 'blockSize' | 'worldSize' | 'shuffle' | 'seed' | 'epoch'
>;

export class WorkLedger {
  readonly blockCount: number;
  #spec: OrderSpec;
  /** By block index. */
  readonly #blocks: Uint8Array;
  /** Block index by position in the global order; null means the identity. */
  #order: Uint32Array | null = null;
  /** By rank: no position of that rank below this one is unissued. A hint, not state. */
  #heads: number[] = [];
  /** No position at or above this one is unissued. A hint, not state. */
  #tail: number;
  /** Returned ranges, first in first out: start -> end. */
  readonly #returned: Map<number, number> = new Map<number, number>();
  /** Committed parts of blocks that are not wholly committed. */
  readonly #partial: Map<number, IntervalSet> = new Map<number, IntervalSet>();
  #unissuedBlocks: number;
  #unissued: number;
  #leased = 0;
  #committed = 0;
  #quarantined = 0;

  constructor(spec: OrderSpec) {
    assert(spec.sampleCount > 0 && spec.blockSize > 0, 'a job has samples and blocks');
    this.#spec = spec;
    this.blockCount = Math.ceil(spec.sampleCount / spec.blockSize);
    this.#blocks = new Uint8Array(this.blockCount);
    this.#unissuedBlocks = this.blockCount;
    this.#unissued = spec.sampleCount;
    this.#tail = this.blockCount;
    this.#resetHeads();
  }

  get unissued(): number {
    return this.#unissued;
  }
  get leased(): number {
    return this.#leased;
  }
  get committed(): number {
    return this.#committed;
  }
  get quarantined(): number {
    return this.#quarantined;
  }
  /** Ranges that could be granted now: whole blocks and returned remainders. */
  get availableRanges(): number {
    return this.#unissuedBlocks + this.#returned.size;
  }
  get allDone(): boolean {
    return this.#committed + this.#quarantined === this.#spec.sampleCount;
  }

  /**
   * The range this rank should get next, or null when nothing is available: a returned range first,
   * then the rank's own next block in the order, then the last block of whoever has work left.
   */
  next(rank: number): SampleRange | null {
    for (const [start, end] of this.#returned) return { start, end };
    if (this.#unissuedBlocks === 0) return null;
    const position = this.#ownPosition(rank) ?? this.#lastPosition();
    return this.blockRange(this.#blockAt(position));
  }

  /** From now on position i of the order belongs first to rank i mod `worldSize`. */
  dealTo(worldSize: number): void {
    this.#spec = { ...this.#spec, worldSize };
    this.#resetHeads();
  }

  /** Unissued -> leased, for a range that `next` gave (now or, in a replay, then). */
  issue(start: number, end: number): void {
    if (this.#returned.get(start) === end) {
      this.#returned.delete(start);
    } else {
      const block = this.#blockOf(start, end);
      const whole = this.blockRange(block);
      assert(
        whole.start === start && whole.end === end,
        () => `[${start}, ${end}) is a whole block`,
      );
      assert(this.#blocks[block] === UNISSUED, () => `block ${block} is unissued`);
      this.#blocks[block] = ISSUED;
      this.#unissuedBlocks -= 1;
    }
    this.#unissued -= end - start;
    this.#leased += end - start;
    this.#check();
  }

  /** Leased -> unissued: the remainder of a lease that ended early. */
  giveBack(start: number, end: number): void {
    assert(start < end, 'a returned range is not empty');
    assert(!this.#returned.has(start), () => `[${start}, …) is not returned twice`);
    this.#blockOf(start, end);
    this.#returned.set(start, end);
    this.#leased -= end - start;
    this.#unissued += end - start;
    this.#check();
  }

  /** Leased -> committed, except the `quarantined` ids of the range, of which there are so many. */
  commit(start: number, end: number, quarantinedCount: number): void {
    this.#markDone(this.#blockOf(start, end), start, end);
    this.#leased -= end - start;
    this.#committed += end - start - quarantinedCount;
    this.#quarantined += quarantinedCount;
    this.#check();
  }

  /** Unissued -> committed, for what a checkpoint says; only before anything was issued. */
  restoreDone(start: number, end: number): void {
    for (let at = start; at < end;) {
      const block = Math.floor(at / this.#spec.blockSize);
      const whole = this.blockRange(block);
      const to = Math.min(end, whole.end);
      if (this.#blocks[block] === UNISSUED) {
        this.#blocks[block] = ISSUED;
        this.#unissuedBlocks -= 1;
      } else {
        // A second piece of the same block: what was left of it is split anew.
        for (const [from] of this.#returned)
          if (from >= whole.start && from < whole.end) this.#returned.delete(from);
      }
      this.#markDone(block, at, to);
      const gaps = this.#partial.get(block)?.gapsIn(whole.start, whole.end) ?? [];
      for (const gap of gaps) this.#returned.set(gap.start, gap.end);
      this.#unissued -= to - at;
      this.#committed += to - at;
      at = to;
    }
    this.#check();
  }

  /** The committed and quarantined samples as merged ranges in id order. O(blocks). */
  *done(): IterableIterator<SampleRange> {
    let start = 0;
    let end = 0;
    for (let block = 0; block < this.blockCount; block += 1) {
      for (const range of this.#doneInBlock(block)) {
        if (range.start !== end) {
          if (end > start) yield { start, end };
          start = range.start;
        }
        end = range.end;
      }
    }
    if (end > start) yield { start, end };
  }

  /** The same samples in any order and not always merged: O(blocks) bytes, without an object a block. */
  doneRuns(): readonly SampleRange[] {
    const runs = this.#runsOf(DONE);
    for (const parts of this.#partial.values()) runs.push(...parts);
    return runs;
  }

  /** Of blocks in this state that follow each other. */
  #runsOf(state: number): SampleRange[] {
    const runs: SampleRange[] = [];
    const size = this.#spec.blockSize;
    let first = -1;
    for (let block = 0; block <= this.blockCount; block += 1) {
      if (this.#blocks[block] === state) {
        if (first === -1) first = block;
      } else if (first !== -1) {
        runs.push({ start: first * size, end: Math.min(block * size, this.#spec.sampleCount) });
        first = -1;
      }
    }
    return runs;
  }

  returnedRanges(): SampleRange[] {
    return [...this.#returned].map(([start, end]) => ({ start, end }));
  }

  blockRange(block: number): SampleRange {
    const start = block * this.#spec.blockSize;
    return { start, end: Math.min(start + this.#spec.blockSize, this.#spec.sampleCount) };
  }

  /** For snapshots: everything that is not a hint. */
  dump(): { blocks: Uint8Array; returned: number[]; partial: number[]; quarantined: number } {
    const partial: number[] = [];
    for (const block of [...this.#partial.keys()].sort((a, b) => a - b)) {
      for (const range of must(this.#partial.get(block), 'it is there'))
        partial.push(range.start, range.end);
    }
    return {
      blocks: this.#blocks,
      returned: [...this.#returned].flat(),
      partial,
      quarantined: this.#quarantined,
    };
  }

  /** The inverse of `dump`; `leased` is how many samples live leases hold. */
  static restore(
    spec: OrderSpec,
    dump: {
      blocks: Uint8Array;
      returned: readonly number[];
      partial: readonly number[];
      quarantined: number;
    },
    leased: number,
  ): WorkLedger {
    const ledger = new WorkLedger(spec);
    assert(dump.blocks.length === ledger.blockCount, 'the snapshot has a state for every block');
    ledger.#blocks.set(dump.blocks);
    let doneBlocks = 0;
    let unissuedBlocks = 0;
    for (const block of dump.blocks) {
      if (block === DONE) doneBlocks += 1;
      else if (block === UNISSUED) unissuedBlocks += 1;
    }
    const last = ledger.blockRange(ledger.blockCount - 1);
    const missing = spec.blockSize - (last.end - last.start);
    const lastState = dump.blocks[ledger.blockCount - 1];
    let done = doneBlocks * spec.blockSize - (lastState === DONE ? missing : 0);
    ledger.#unissuedBlocks = unissuedBlocks;
    ledger.#unissued = unissuedBlocks * spec.blockSize - (lastState === UNISSUED ? missing : 0);
    for (const [start, end] of pairs(dump.partial)) {
      ledger.#partialOf(Math.floor(start / spec.blockSize)).add(start, end);
      done += end - start;
    }
    for (const [start, end] of pairs(dump.returned)) {
      ledger.#returned.set(start, end);
      ledger.#unissued += end - start;
    }
    ledger.#leased = leased;
    ledger.#quarantined = dump.quarantined;
    ledger.#committed = done - dump.quarantined;
    ledger.#check();
    return ledger;
  }

  /** The whole cover, sample range by sample range; O(blocks), for tests and simulation. */
  assertCover(leasedRanges: Iterable<SampleRange>): void {
    const unissued = this.#runsOf(UNISSUED);
    const all = [...this.doneRuns(), ...this.returnedRanges(), ...leasedRanges, ...unissued];
    all.sort((a, b) => a.start - b.start);
    let at = 0;
    for (const { start, end } of all) {
      assert(end > start, () => `[${start}, ${end}) holds samples`);
      assert(start === at, () => `samples ${at} and [${start}, ${end}) are held once`);
      at = end;
    }
    assert(at === this.#spec.sampleCount, () => `all samples are held, not only up to ${at}`);
  }

  #check(): void {
    const sum = this.#unissued + this.#leased + this.#committed + this.#quarantined;
    assert(
      sum === this.#spec.sampleCount,
      () => `unissued + leased + committed + quarantined = N, not ${sum}`,
    );
    assert(
      this.#unissued >= 0 && this.#leased >= 0 && this.#committed >= 0,
      'no count is negative',
    );
  }

  #markDone(block: number, start: number, end: number): void {
    const whole = this.blockRange(block);
    assert(this.#blocks[block] === ISSUED, () => `block ${block} is issued and not done`);
    if (start > whole.start || end < whole.end) {
      const partial = this.#partialOf(block);
      const added = partial.add(start, end);
      assert(added === end - start, () => `no sample of [${start}, ${end}) is committed twice`);
      if (partial.size < whole.end - whole.start) return;
      this.#partial.delete(block);
    }
    this.#blocks[block] = DONE;
  }

  #doneInBlock(block: number): Iterable<SampleRange> {
    if (this.#blocks[block] === DONE) return [this.blockRange(block)];
    return this.#partial.get(block) ?? [];
  }

  #partialOf(block: number): IntervalSet {
    const found = this.#partial.get(block);
    if (found !== undefined) return found;
    const made = new IntervalSet();
    this.#partial.set(block, made);
    return made;
  }

  #blockOf(start: number, end: number): number {
    const block = Math.floor(start / this.#spec.blockSize);
    assert(end <= this.blockRange(block).end, () => `[${start}, ${end}) lies in one block`);
    return block;
  }

  #blockAt(position: number): number {
    if (!this.#spec.shuffle) return position;
    const order = (this.#order ??= blockOrder(this.#spec));
    return must(order[position], () => `position ${position} is in the order`);
  }

  /** The rank's first unissued position (position i belongs first to rank i mod world size). */
  #ownPosition(rank: number): number | null {
    const width = this.#spec.worldSize;
    let position = must(this.#heads[rank], () => `rank ${rank} is below the world size`);
    while (position < this.blockCount && this.#blocks[this.#blockAt(position)] !== UNISSUED) {
      position += width;
    }
    this.#heads[rank] = position;
    return position < this.blockCount ? position : null;
  }

  #lastPosition(): number {
    let position = this.#tail;
    do position -= 1;
    while (position >= 0 && this.#blocks[this.#blockAt(position)] !== UNISSUED);
    assert(position >= 0, 'there is an unissued block');
    this.#tail = position + 1;
    return position;
  }

  #resetHeads(): void {
    this.#heads = Array.from({ length: this.#spec.worldSize }, (_, rank) => rank);
  }
}

function* pairs(flat: readonly number[]): IterableIterator<[number, number]> {
  for (let index = 0; index + 1 < flat.length; index += 2) {
    yield [must(flat[index], 'a start'), must(flat[index + 1], 'an end')];
  }
}
