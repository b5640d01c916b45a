/**
 * Cuts the lines of a manifest into blocks of samples while they come: [0, blockSize), [blockSize, …), in id order,
 * the last one shorter. In which pieces the lines come makes no difference.
 */
import { assert } from '../base/assert.ts';
import type { Block } from './shuffle-buffer.ts';

/** Lines of samples that follow each other. */
export interface Lines {
  readonly first: number;
  readonly count: number;
  /** Where the first line starts in the manifest … */
  readonly at: number;
  /** … and where each ends, counted from there. */
  readonly ends: ArrayLike<number>;
  /** What the file of each was like; null where nobody took it down. */
  readonly stamps: {
    readonly bytes: ArrayLike<number>;
    readonly mtimesMs: ArrayLike<number>;
  } | null;
}

export class LineBlocks {
  readonly #blockSize: number;
  #next = 0;
  /** Of the block that is not whole yet. */
  #count = 0;
  #from = 0;
  #to = 0;
  #bytes = -1;
  #mtimeMs = -1;

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  /** The blocks that are whole now. */
  push({ first, count, at, ends, stamps }: Lines): readonly Block[] {
    assert(first === this.#next, 'lines come without gaps');
    const whole: Block[] = [];
    for (let line = 0; line < count; line += 1) {
      if (this.#count === 0) {
        this.#from = line === 0 ? at : this.#to;
        this.#bytes = stamps?.bytes[line] ?? -1;
        this.#mtimeMs = stamps?.mtimesMs[line] ?? -1;
      }
      this.#to = at + (ends[line] ?? 0);
      this.#count += 1;
      this.#next += 1;
      if (this.#count < this.#blockSize) continue;
      whole.push(this.#take());
    }
    return whole;
  }

  /** When no more lines come: the last block, or null where the one before it was the last. */
  finish(): Block | null {
    return this.#count === 0 ? null : this.#take();
  }

  #take(): Block {
    const count = this.#count;
    this.#count = 0;
    const stamp = { bytes: this.#bytes, mtimeMs: this.#mtimeMs };
    return { first: this.#next - count, count, from: this.#from, to: this.#to, ...stamp };
  }
}
