/** Rates from readings of a growing total, over a short window of time. Pure. */
import { elapsedMs, type MonoMs } from '../../core/base/units.ts';

interface Reading {
  readonly atMs: MonoMs;
  readonly total: number;
}

/** Long enough that commits, which come in bursts, give a steady figure. */
const WINDOW_MS = 5000;

export class Throughput {
  readonly #readings: Reading[] = [];

  note(atMs: MonoMs, total: number): void {
    this.#readings.push({ atMs, total });
    for (;;) {
      const second = this.#readings[1];
      if (second === undefined || elapsedMs(second.atMs, atMs) < WINDOW_MS) return;
      this.#readings.shift();
    }
  }

  /** Units per second over the window; 0 until two readings are apart. */
  get perSecond(): number {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined) return 0;
    const spanMs = elapsedMs(first.atMs, last.atMs);
    return spanMs <= 0 ? 0 : ((last.total - first.total) * 1000) / spanMs;
  }
}
