/** Reads a generator before anybody asks, as far as a bound, and keeps what came until it is taken. */

/** Pages: of eight listings with a thousand objects each, some 20 MB. */
const AHEAD_MAX = 8;

export class ReadAhead<T> {
  readonly #items: AsyncGenerator<T, void>;
  readonly #ready: T[] = [];
  readonly #reading: Promise<void>;
  #ending: 'no' | 'ended' | 'closed' = 'no';
  #failure: { readonly error: unknown } | null = null;
  /** Whoever waits for an item, or for room for one. */
  #wake: () => void = () => undefined;

  constructor(items: AsyncGenerator<T, void>) {
    this.#items = items;
    this.#reading = this.#read();
  }

  /** Null at the end; rejects with what the generator threw, after what came before it. */
  async take(): Promise<T | null> {
    for (;;) {
      const item = this.#ready.shift();
      if (item !== undefined) {
        this.#wake();
        return item;
      }
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ending !== 'no') return null;
      await this.#change();
    }
  }

  /** Reads no further. What the generator was waiting for is cut short by whoever gave it a signal. */
  async close(): Promise<void> {
    if (this.#ending === 'no') this.#ending = 'closed';
    this.#wake();
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        while (this.#ending === 'no' && this.#ready.length >= AHEAD_MAX) await this.#change();
        if (this.#ending !== 'no') break;
        const next = await this.#items.next();
        if (next.done === true) break;
        this.#ready.push(next.value);
        this.#wake();
      }
      await this.#items.return();
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#ending === 'no') this.#ending = 'ended';
    this.#wake();
  }

  /** Reader and taker are never both waiting: one waits for an item, the other for room. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
