/**
 * Shuffles what comes one after the other and has no known end: a bounded buffer, from which one that is in it is
 * drawn whenever it is full. In which order things come out is a pure function of the order in which they go
 * in, the size, the seed and the epoch; when they come makes no difference. So who follows a listing and who
 * reads the finished manifest see the same order.
 *
 * It does not wait until it is full, which could take long: from the first `SHUFFLE_START_SAMPLES` on every second
 * comer draws one, so that the first come out early while the buffer goes on filling.
 */
import { assert } from '../base/assert.ts';
import { mix64 } from './block-order.ts';
import { SHUFFLE_START_SAMPLES } from './limits.ts';

/** Samples that stay together, and where their lines are in the manifest: [from, to). */
export interface Block {
  readonly first: number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
  /** What the file of its first sample was like when it was listed, as a stamp has it; -1 where nobody knows. */
  readonly bytes: number;
  readonly mtimeMs: number;
}

export interface ShuffleBufferSpec {
  /** Most samples in it; at least one block is. */
  readonly samples: number;
  readonly blockSize: number;
  readonly seed: bigint;
  readonly epoch: number;
}

const MASK_64 = (1n << 64n) - 1n;
const GAMMA = 0x9e3779b97f4a7c15n;
/** Numbers that a block is kept as. */
const WIDTH = 6;
/** Blocks that there is room for at first; the room doubles up to the size. */
const ROOM_START = 1024;

export class ShuffleBuffer {
  readonly #size: number;
  readonly #start: number;
  readonly #baseHigh: number;
  readonly #baseLow: number;
  readonly #drawn: Uint32Array = new Uint32Array(2);
  #rows: Float64Array;
  #held = 0;
  #comers = 0;
  #draws = 0;

  constructor({ samples, blockSize, seed, epoch }: ShuffleBufferSpec) {
    assert(samples >= 1 && blockSize >= 1, 'a shuffle buffer has room for a sample');
    this.#size = Math.ceil(samples / blockSize);
    this.#start = Math.min(this.#size, Math.ceil(SHUFFLE_START_SAMPLES / blockSize));
    this.#rows = new Float64Array(Math.min(this.#size, ROOM_START) * WIDTH);
    const mixed = (seed ^ ((BigInt(epoch) * GAMMA) & MASK_64)) & MASK_64;
    // Mixed once more: the draws of neighbouring seeds must have nothing to do with each other.
    mix64(Number(mixed >> 32n), Number(mixed & 0xffffffffn), this.#drawn);
    this.#baseHigh = this.#drawn[0] ?? 0;
    this.#baseLow = this.#drawn[1] ?? 0;
  }

  /** Blocks in it. */
  get held(): number {
    return this.#held;
  }

  /** The block that comes out because this one came; null where none does yet. */
  push(block: Block): Block | null {
    if (this.#held * WIDTH === this.#rows.length) this.#grow();
    const at = this.#held * WIDTH;
    this.#rows[at] = block.first;
    this.#rows[at + 1] = block.count;
    this.#rows[at + 2] = block.from;
    this.#rows[at + 3] = block.to;
    this.#rows[at + 4] = block.bytes;
    this.#rows[at + 5] = block.mtimeMs;
    this.#held += 1;
    this.#comers += 1;
    const isFull = this.#held === this.#size;
    const isTurn = this.#comers >= this.#start && (this.#comers - this.#start) % 2 === 0;
    return isFull || isTurn ? this.pop() : null;
  }

  /** When no more come: one of those that are left, or null. */
  pop(): Block | null {
    if (this.#held === 0) return null;
    const at = this.#draw(this.#held) * WIDTH;
    const rows = this.#rows;
    const block = {
      first: rows[at] ?? 0,
      count: rows[at + 1] ?? 0,
      from: rows[at + 2] ?? 0,
      to: rows[at + 3] ?? 0,
      bytes: rows[at + 4] ?? 0,
      mtimeMs: rows[at + 5] ?? 0,
    };
    this.#held -= 1;
    rows.copyWithin(at, this.#held * WIDTH, (this.#held + 1) * WIDTH);
    return block;
  }

  /** A whole number from 0 up to, and without, `below`. */
  #draw(below: number): number {
    const turn = this.#draws;
    this.#draws += 1;
    const high = this.#baseHigh ^ Math.floor(turn / 0x100000000);
    mix64(high, this.#baseLow ^ (turn >>> 0), this.#drawn);
    // 53 bits: as many as a fraction has, so no slot is favoured by more than one part in 2^29.
    const bits = (this.#drawn[0] ?? 0) * 2 ** 21 + ((this.#drawn[1] ?? 0) >>> 11);
    return Math.floor((bits / 2 ** 53) * below);
  }

  #grow(): void {
    const blocks = Math.min(this.#size, (this.#rows.length / WIDTH) * 2);
    const rows = new Float64Array(blocks * WIDTH);
    rows.set(this.#rows);
    this.#rows = rows;
  }
}
