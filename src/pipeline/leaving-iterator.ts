/**
 * An iterator that, however the loop over it ends, leaves before the loop goes on: at the end, when
 * `next` fails, and when the consumer breaks out or throws. An async generator would do the same, but
 * its frame keeps the last elements alive, and an element here may be memory that others wait for.
 */
export interface Steps<T> {
  /** Called once, before the first element. */
  readonly start?: () => void;
  /** The next element, or null at the end; without a promise where nobody has to wait for it. */
  readonly next: () => Promise<T | null> | T | null;
  /** Lets go of everything; called once. */
  readonly leave: () => Promise<void>;
}

export class LeavingIterator<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #steps: Steps<T>;
  #state: 'new' | 'going' | 'left' = 'new';

  constructor(steps: Steps<T>) {
    this.#steps = steps;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#state === 'left') return Promise.resolve({ done: true, value: undefined });
    try {
      if (this.#state === 'new') {
        this.#state = 'going';
        this.#steps.start?.();
      }
      const value = this.#steps.next();
      if (!(value instanceof Promise)) return this.#step(value);
      return value.then(
        (later) => this.#step(later),
        (error: unknown) => this.#failed(error),
      );
    } catch (error) {
      return this.#failed(error);
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#leave();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #step(value: T | null): Promise<IteratorResult<T, void>> {
    return value === null ? this.return() : Promise.resolve({ done: false, value });
  }

  async #failed(error: unknown): Promise<never> {
    await this.#leave();
    throw error;
  }

  async #leave(): Promise<void> {
    this.#state = 'left';
    await this.#steps.leave();
  }
}
