/** A clock that stands still until a test moves it. */
import { type MonoMs, monoMs, type UnixMs, unixMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';

interface FakeTimer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #unixOffsetMs: number;
  /** In order of setting; of two that are due at one time the one set first fires first. */
  readonly #timers: Set<FakeTimer> = new Set<FakeTimer>();

  constructor(startMs = 1000, unixStartMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#unixOffsetMs = unixStartMs - startMs;
  }

  nowMs(): MonoMs {
    return monoMs(this.#nowMs);
  }

  unixMs(): UnixMs {
    return unixMs(this.#nowMs + this.#unixOffsetMs);
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return {
      clear: () => {
        this.#timers.delete(timer);
      },
    };
  }

  defer(fire: () => void): void {
    setImmediate(fire);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        timer.clear();
        const reason: unknown = signal?.reason;
        reject(reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`));
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Somebody sets the wall clock, forward or back; no time passes. */
  stepWallClock(deltaMs: number): void {
    this.#unixOffsetMs += deltaMs;
  }

  /** How many timers are set: a test that ends with one has left something running. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /**
   * Moves the time on, firing what falls due in order and at its own time. Between two timers
   * everything that waits for a promise gets its turn.
   */
  async advance(deltaMs: number): Promise<void> {
    const targetMs = this.#nowMs + deltaMs;
    for (;;) {
      await settled();
      const next = this.#nextDue(targetMs);
      if (next === null) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fire();
    }
    this.#nowMs = targetMs;
    await settled();
  }

  /** Time passes as for a process that is paused: what fell due meanwhile fires late, at its end. */
  async pause(deltaMs: number): Promise<void> {
    this.#nowMs += deltaMs;
    await this.advance(0);
  }

  #nextDue(targetMs: number): FakeTimer | null {
    let next: FakeTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs <= targetMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}

/** Lets every promise that can settle without the outside world do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
