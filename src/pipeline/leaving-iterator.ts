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
  /** Until all that was asked for is there. */
  #under: Promise<void> | null = null;
  /** Whether the last step has to be waited for. */
  #isLater: boolean = false;

  constructor(steps: Steps<T>) {
    this.#steps = steps;
  }

  /** As of a generator, a step begins when the one before it is over, whoever asks meanwhile. */
  next(): Promise<IteratorResult<T, void>> {
    if (this.#under !== null) return this.#hold(this.#under.then(() => this.#begin()));
    const step = this.#begin();
    return this.#isLater ? this.#hold(step) : step;
  }

  #hold<S>(step: Promise<S>): Promise<S> {
    const over = (): void => {
      if (this.#under === under) this.#under = null;
    };
    const under = step.then(over, over);
    this.#under = under;
    return step;
  }

  #begin(): Promise<IteratorResult<T, void>> {
    this.#isLater = false;
    if (this.#state === 'left') return Promise.resolve({ done: true, value: undefined });
    try {
      if (this.#state === 'new') {
        this.#state = 'going';
        this.#steps.start?.();
      }
      const value = this.#steps.next();
      if (!(value instanceof Promise)) return this.#step(value);
      this.#isLater = true;
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
