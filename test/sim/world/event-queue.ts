/** What is to happen, in order of time; what is due at one time happens in the order it was planned. */
import type { Process } from './process.ts';

export interface Planned {
  /** Time in milliseconds and order of planning, as one number. */
  readonly key: number;
  /** Whose doing it is: skipped once that process is dead, put off while it is paused. Null: the world's. */
  readonly owner: Process | null;
  readonly run: () => void;
  isCancelled: boolean;
  /** It leaves no promise behind: the next event need not wait for any to settle. */
  readonly isPlain: boolean;
}

/** Events that one world may plan; time takes the bits above. */
const ORDER_SPAN = 2 ** 21;

export function atMsOf({ key }: Planned): number {
  return Math.floor(key / ORDER_SPAN);
}

export class EventQueue {
  readonly #heap: Planned[] = [];
  #order = 0;

  get length(): number {
    return this.#heap.length;
  }

  push(
    atMs: number,
    owner: Process | null,
    run: () => void,
    isPlain: boolean = owner?.isPlain ?? false,
  ): Planned {
    this.#order += 1;
    if (this.#order >= ORDER_SPAN) throw new Error('a simulated world has ended by now');
    const planned = {
      key: Math.ceil(atMs) * ORDER_SPAN + this.#order,
      owner,
      run,
      isCancelled: false,
      isPlain,
    };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(planned);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.key <= planned.key) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = planned;
    return planned;
  }

  pop(): Planned | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(planned: Planned): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && right.key < child.key) {
        child = right;
        below += 1;
      }
      if (planned.key <= child.key) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = planned;
  }
}
