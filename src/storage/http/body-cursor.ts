/** How much of a range has arrived, and where the next byte goes. */
import type { RangeTarget } from '../../ports/place.ts';

/** Less than this is read into the connection's own memory and copied: a call costs more than the copy. */
const DIRECT_BYTES_MIN: number = 64 * 1024;

export class BodyCursor {
  readonly bytes: number;
  readonly #targets: readonly RangeTarget[];
  #index: number = 0;
  /** Bytes of the target at `#index` that are there. */
  #within: number = 0;
  #received: number = 0;

  constructor(targets: readonly RangeTarget[]) {
    this.#targets = targets;
    this.bytes = targets.reduce((sum, target) => sum + target.bytes, 0);
  }

  get received(): number {
    return this.#received;
  }

  get missing(): number {
    return this.bytes - this.#received;
  }

  /** Memory that the next bytes may be read into directly; null when they are better copied. */
  room(): Uint8Array | null {
    const target = this.#targets[this.#index];
    if (target === undefined || target.into === null) return null;
    if (target.bytes - this.#within < DIRECT_BYTES_MIN) return null;
    return target.into.subarray(this.#within, target.bytes);
  }

  /** So many bytes are in the room that was given last. */
  filled(count: number): void {
    this.#advance(count);
  }

  /** Copies the bytes to where they go; at most `missing`. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const target = this.#targets[this.#index];
      if (target === undefined) return;
      const count = Math.min(bytes.length - at, target.bytes - this.#within);
      target.into?.set(bytes.subarray(at, at + count), this.#within);
      at += count;
      this.#advance(count);
    }
  }

  #advance(count: number): void {
    this.#received += count;
    this.#within += count;
    while (this.#within >= (this.#targets[this.#index]?.bytes ?? Infinity)) {
      this.#within -= this.#targets[this.#index]?.bytes ?? 0;
      this.#index += 1;
    }
  }
}
