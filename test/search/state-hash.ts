/** Two independent 32-bit hashes of plain values, and a set of states known by them. */

/** Texts by number, so that a text costs one look-up. */
const texts = new Map<string, number>();

/** Reads a value from front to back into two lanes. Fields come in the order in which they were made. */
class Hasher {
  low = 0x811c9dc5;
  high = 0x2b00b1e5;

  add(value: unknown): void {
    if (typeof value === 'number') {
      this.#word(value);
    } else if (typeof value === 'string') {
      this.#word(numberOf(value));
    } else if (typeof value === 'object' && value !== null) {
      this.#addObject(value);
    } else {
      this.#word(value === null ? 0x6e756c6c : value === true ? 0x74727565 : 0x66616c73);
    }
  }

  #addObject(value: object): void {
    if (value instanceof Uint8Array) {
      this.#word(value.length);
      for (const byte of value) this.#word(byte);
    } else if (Array.isArray(value)) {
      this.#word(value.length);
      for (const each of value as readonly unknown[]) this.add(each);
    } else {
      const fields = value as Readonly<Record<string, unknown>>;
      for (const name in fields) {
        // What a writer sent follows from the state that it waits in.
        if (name !== 'transaction') this.add(fields[name]);
      }
      this.#word(0x656e6421);
    }
  }

  #word(word: number): void {
    this.low = Math.imul(this.low ^ word, 0x01000193);
    this.low ^= this.low >>> 15;
    this.high = Math.imul(this.high ^ word, 0x5bd1e995);
    this.high ^= this.high >>> 13;
  }
}

function numberOf(text: string): number {
  const before = texts.get(text);
  if (before !== undefined) return before;
  texts.set(text, texts.size + 1);
  return texts.size;
}

/** Open addressing over 64-bit hashes; grows by doubling. */
export class StateSet {
  #lows = new Uint32Array(1 << 16);
  #highs = new Uint32Array(1 << 16);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False when the state was there. */
  add(value: unknown): boolean {
    const hasher = new Hasher();
    hasher.add(value);
    const { low, high } = hasher;
    // (0, 0) marks a free place.
    const isNew = this.#put(low >>> 0 || 1, high >>> 0);
    if (isNew && this.#size * 2 > this.#lows.length) this.#grow();
    return isNew;
  }

  #put(low: number, high: number): boolean {
    const mask = this.#lows.length - 1;
    let place = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
    while (this.#lows[place] !== 0) {
      if (this.#lows[place] === low && this.#highs[place] === high) return false;
      place = (place + 1) & mask;
    }
    this.#lows[place] = low;
    this.#highs[place] = high;
    this.#size += 1;
    return true;
  }

  #grow(): void {
    const [lows, highs] = [this.#lows, this.#highs];
    this.#lows = new Uint32Array(lows.length * 2);
    this.#highs = new Uint32Array(lows.length * 2);
    this.#size = 0;
    lows.forEach((low, index) => {
      if (low !== 0) this.#put(low, highs[index] ?? 0);
    });
  }
}
