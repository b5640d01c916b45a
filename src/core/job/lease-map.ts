/** The sample space cut into equal cells, each with how much of it is done, leased and stalled. */
import { assert } from '../base/assert.ts';

export type MapState = 'done' | 'leased' | 'stalled';

/** Fractions of the cell, 0 to 1; what is in none of them waits. */
export interface MapCell {
  readonly done: number;
  readonly leased: number;
  readonly stalled: number;
}

export class LeaseMap {
  readonly #samples: number;
  readonly #cells: number;
  /** Samples of a state by cell. */
  readonly #counts: Readonly<Record<MapState, Float64Array>>;

  constructor(samples: number, cells: number) {
    assert(samples > 0 && cells > 0, 'a map has samples and cells');
    this.#samples = samples;
    this.#cells = Math.min(cells, samples);
    const counts = (): Float64Array => new Float64Array(this.#cells);
    this.#counts = { done: counts(), leased: counts(), stalled: counts() };
  }

  add(state: MapState, start: number, end: number): void {
    const counts = this.#counts[state];
    for (let at = start; at < end;) {
      const cell = this.#cellOf(at);
      const to = Math.min(end, this.#startOf(cell + 1));
      counts[cell] = (counts[cell] ?? 0) + to - at;
      at = to;
    }
  }

  fractions(): readonly MapCell[] {
    const { done, leased, stalled } = this.#counts;
    return Array.from({ length: this.#cells }, (_, cell) => {
      const size = this.#startOf(cell + 1) - this.#startOf(cell);
      return {
        done: (done[cell] ?? 0) / size,
        leased: (leased[cell] ?? 0) / size,
        stalled: (stalled[cell] ?? 0) / size,
      };
    });
  }

  /** Cell c holds the samples [startOf(c), startOf(c + 1)). */
  #startOf(cell: number): number {
    return Math.ceil((cell * this.#samples) / this.#cells);
  }

  #cellOf(sample: number): number {
    return Math.floor((sample * this.#cells) / this.#samples);
  }
}
