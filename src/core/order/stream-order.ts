/**
 * In which order the samples of a listing are delivered while it goes on: blocks of their lines, as they are listed
 * or through a shuffle buffer. A reading that goes on somewhere in the middle goes through the same order from
 * its beginning, and passes over what was delivered before.
 */
import { LineBlocks } from './line-blocks.ts';
import type { Lines } from './line-blocks.ts';
import { ShuffleBuffer } from './shuffle-buffer.ts';
import type { Block, ShuffleBufferSpec } from './shuffle-buffer.ts';

export class StreamOrder {
  readonly #blocks: LineBlocks;
  readonly #buffer: ShuffleBuffer | null;
  #toSkip: number;
  #isWhole = true;
  #cut = 0;

  /** Without a shuffle buffer: as they are listed. The first `skip` samples are left out. */
  constructor(shuffle: ShuffleBufferSpec | null, skip: number) {
    this.#blocks = new LineBlocks(shuffle?.blockSize ?? 1);
    this.#buffer = shuffle === null ? null : new ShuffleBuffer(shuffle);
    this.#toSkip = skip;
  }

  /** Samples of the block that came out first which are to be left out; asked for once. */
  takeCut(): number {
    const cut = this.#cut;
    this.#cut = 0;
    return cut;
  }

  /** What comes out because these lines came. */
  push(lines: Lines): readonly Block[] {
    const out: Block[] = [];
    if (this.#buffer === null) this.#take(wholeOf(lines), out);
    else {
      for (const block of this.#blocks.push(lines)) this.#take(this.#buffer.push(block), out);
    }
    return out;
  }

  /** When no more lines come: what comes out then, about so many samples at a time; nothing at the end. */
  drain(samples: number): readonly Block[] {
    const out: Block[] = [];
    if (this.#buffer === null) return out;
    if (this.#isWhole) {
      this.#isWhole = false;
      const last = this.#blocks.finish();
      if (last !== null) this.#take(this.#buffer.push(last), out);
    }
    for (let taken = 0; taken < samples;) {
      const block = this.#buffer.pop();
      if (block === null) break;
      taken += this.#take(block, out);
    }
    return out;
  }

  /** How many of its samples are to be delivered. */
  #take(block: Block | null, out: Block[]): number {
    if (block === null) return 0;
    const skipped = Math.min(this.#toSkip, block.count);
    this.#toSkip -= skipped;
    if (skipped === block.count) return 0;
    if (skipped > 0) this.#cut = skipped;
    out.push(block);
    return block.count - skipped;
  }
}

function wholeOf({ first, count, at, ends, stamps }: Lines): Block {
  const stamp = { bytes: stamps?.bytes[0] ?? -1, mtimeMs: stamps?.mtimesMs[0] ?? -1 };
  return { first, count, from: at, to: at + (ends[count - 1] ?? 0), ...stamp };
}
