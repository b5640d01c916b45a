/** Publishes committed pieces, a few at a time, in the order in which they were committed. */
import type { PieceName } from '../job/index.ts';
import { publishPiece } from '../job/index.ts';
import type { OutputStore } from '../ports/output-store.ts';
import { PUBLICATIONS_MAX } from './limits.ts';

export class Publisher {
  readonly #out: OutputStore;
  readonly #onError: (error: unknown) => void;
  /** No longer than the committed pieces of a few leases: a worker stages slower than names change. */
  readonly #waiting: PieceName[] = [];
  #running = 0;
  #idleListeners: (() => void)[] = [];

  constructor(out: OutputStore, onError: (error: unknown) => void) {
    this.#out = out;
    this.#onError = onError;
  }

  add(piece: PieceName): void {
    this.#waiting.push(piece);
    this.#pump();
  }

  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }

  #pump(): void {
    while (this.#running < PUBLICATIONS_MAX) {
      const piece = this.#waiting.shift();
      if (piece === undefined) break;
      this.#running += 1;
      publishPiece(this.#out, piece)
        .catch(this.#onError)
        .finally(() => {
          this.#running -= 1;
          this.#pump();
        })
        .catch(this.#onError);
    }
    if (this.#running > 0) return;
    const listeners = this.#idleListeners;
    this.#idleListeners = [];
    for (const listener of listeners) listener();
  }
}
