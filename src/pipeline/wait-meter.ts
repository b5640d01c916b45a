import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';

/** Adds up how long somebody waited. Without a clock it stays at 0. */
export class WaitMeter {
  readonly #clock: Clock | undefined;
  #since: MonoMs | null = null;
  #totalMs: number = 0;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  get totalMs(): number {
    return this.#totalMs;
  }

  start(): void {
    this.#since = this.#clock?.nowMs() ?? null;
  }

  /** Answers how long it was; 0 where no wait was started. */
  stop(): number {
    if (this.#since === null || this.#clock === undefined) return 0;
    const ms = elapsedMs(this.#since, this.#clock.nowMs());
    this.#totalMs += ms;
    this.#since = null;
    return ms;
  }
}
