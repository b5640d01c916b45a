/** Which samples a block holds. Blocks are cut in id order; only the last may be shorter. */
import { assert } from '../base/assert.ts';
import type { SampleRange } from '../base/range.ts';

export interface BlockLayout {
  readonly sampleCount: number;
  readonly blockSize: number;
}

export function blockCount(layout: BlockLayout): number {
  return Math.ceil(layout.sampleCount / layout.blockSize);
}

export function blockRange(layout: BlockLayout, block: number): SampleRange {
  const start = block * layout.blockSize;
  assert(
    block >= 0 && start < layout.sampleCount,
    `block ${block} is one of ${blockCount(layout)}`,
  );
  return { start, end: Math.min(start + layout.blockSize, layout.sampleCount) };
}

/** The block that holds `sampleId`. */
export function blockOf(layout: BlockLayout, sampleId: number): number {
  assert(sampleId >= 0 && sampleId < layout.sampleCount, `sample ${sampleId} is in the data set`);
  return Math.floor(sampleId / layout.blockSize);
}

/** The ranges of `order` (see `blockOrder`), cut to [start, end), empty ones left out. */
export function* rangesInOrder(
  layout: BlockLayout,
  order: Uint32Array,
  within: SampleRange,
): Generator<SampleRange> {
  for (const block of order) {
    const range = blockRange(layout, block);
    const start = Math.max(range.start, within.start);
    const end = Math.min(range.end, within.end);
    if (start < end) yield { start, end };
  }
}
