/** The committed pieces of a job's output, held compactly: five numbers a piece. */
import { must } from '../base/assert.ts';
import { leaseId, type LeasePosition } from '../base/units.ts';
import type { CommittedPiece } from './protocol.ts';

const COLUMNS = 5;
const NO_IDS: readonly number[] = [];

export class PieceList {
  /** start, end, epoch, seq, index of each piece, in order of commit. */
  #columns: Float64Array = new Float64Array(0);
  #count = 0;
  readonly #quarantined: Map<number, readonly number[]> = new Map<number, readonly number[]>();
  /** Piece indexes in order of start; made when asked for, dropped when a piece is added. */
  #sorted: Uint32Array | null = null;

  get count(): number {
    return this.#count;
  }

  add(start: number, end: number, token: LeasePosition, quarantined: readonly number[]): void {
    const at = this.#count * COLUMNS;
    if (at === this.#columns.length) {
      const grown = new Float64Array(Math.max(64 * COLUMNS, at * 2));
      grown.set(this.#columns);
      this.#columns = grown;
    }
    const columns = this.#columns;
    columns[at] = start;
    columns[at + 1] = end;
    columns[at + 2] = token.epoch;
    columns[at + 3] = token.seq;
    columns[at + 4] = token.index;
    if (quarantined.length > 0) this.#quarantined.set(start, quarantined);
    this.#count += 1;
    this.#sorted = null;
  }

  /** Up to `limit` pieces whose start is greater than `afterStart`, in order of start. */
  after(afterStart: number, limit: number): readonly CommittedPiece[] {
    const sorted = this.#inOrder();
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#value(must(sorted[middle], 'in range'), 0) <= afterStart) low = middle + 1;
      else high = middle;
    }
    return Array.from(sorted.subarray(low, low + limit), (piece) => this.#piece(piece));
  }

  dump(): { columns: Float64Array; quarantined: (readonly [number, readonly number[]])[] } {
    return {
      columns: this.#columns.subarray(0, this.#count * COLUMNS),
      quarantined: [...this.#quarantined],
    };
  }

  restore(
    columns: Float64Array,
    quarantined: readonly (readonly [number, readonly number[]])[],
  ): void {
    this.#columns = columns.slice();
    this.#count = columns.length / COLUMNS;
    for (const [start, ids] of quarantined) this.#quarantined.set(start, ids);
    this.#sorted = null;
  }

  #inOrder(): Uint32Array {
    this.#sorted ??= Uint32Array.from({ length: this.#count }, (_, piece) => piece).sort(
      (a, b) => this.#value(a, 0) - this.#value(b, 0),
    );
    return this.#sorted;
  }

  #piece(piece: number): CommittedPiece {
    const start = this.#value(piece, 0);
    return {
      start,
      end: this.#value(piece, 1),
      leaseId: leaseId({
        epoch: this.#value(piece, 2),
        seq: this.#value(piece, 3),
        index: this.#value(piece, 4),
      }),
      quarantined: this.#quarantined.get(start) ?? NO_IDS,
    };
  }

  #value(piece: number, column: number): number {
    return must(this.#columns[piece * COLUMNS + column], 'the piece is in the list');
  }
}
