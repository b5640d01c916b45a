/** Events of a simulation in order of their time. */
import assert from 'node:assert/strict';

export interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

/** The earliest first; of two at a time the one that was added first. A binary heap. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #order: number = 0;

  add(atMs: number, act: () => void): void {
    this.#order += 1;
    this.#heap.push({ atMs, order: this.#order, act });
    let at = this.#heap.length - 1;
    while (at > 0 && this.#isBefore(at, (at - 1) >> 1)) at = this.#swap(at, (at - 1) >> 1);
  }

  /** The first event, if it is due before `untilMs`. */
  before(untilMs: number): Event | null {
    const [first] = this.#heap;
    if (first === undefined || first.atMs >= untilMs) return null;
    const last = this.#heap.pop();
    if (last === undefined || last === first) return first;
    this.#heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      let least = this.#isBefore(left, at) ? left : at;
      if (this.#isBefore(left + 1, least)) least = left + 1;
      if (least === at) return first;
      at = this.#swap(at, least);
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(from: number, to: number): number {
    const [a, b] = [this.#heap[from], this.#heap[to]];
    assert.ok(a !== undefined && b !== undefined);
    this.#heap[from] = b;
    this.#heap[to] = a;
    return to;
  }
}
