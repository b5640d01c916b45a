import type { MonoMs, UnixMs } from '../core/base/units.ts';

/** A timer that has been set; `clear` is safe to call twice and after it fired. */
export interface TimerHandle {
  clear(): void;
}

/** The only source of time. Made once in `cli/` (or a fake in tests) and passed down. */
export interface Clock {
  /** Monotonic; what every decision uses. */
  nowMs(): MonoMs;
  /** Wall clock; for display, logs and the wire. */
  unixMs(): UnixMs;
  /** Calls `fire` once, `delayMs` from now. An `unref`ed timer does not keep the process alive. */
  setTimer(delayMs: number, fire: () => void, options?: { readonly unref?: boolean }): TimerHandle;
  /** Calls `fire` once this turn's input is read: what arrived together is seen together. */
  defer(fire: () => void): void;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
