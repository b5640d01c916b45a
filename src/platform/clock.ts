import { monoMs, unixMs } from '../core/base/units.ts';
import type { MonoMs, UnixMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';

/** Node's timers hold the delay in 32 signed bits and fire at once beyond that. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

/** The clock of this process. `cli/` makes the one instance that everything else is given. */
export function nodeClock(): Clock {
  return new NodeClock();
}

class NodeClock implements Clock {
  nowMs(): MonoMs {
    return monoMs(performance.now());
  }

  unixMs(): UnixMs {
    return unixMs(Date.now());
  }

  setTimer(delayMs: number, fire: () => void, options?: { readonly unref?: boolean }): TimerHandle {
    return new NodeTimer(delayMs, fire, options?.unref === true);
  }

  defer(fire: () => void): void {
    setImmediate(fire);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(reasonOf(signal));
        return;
      }
      const onAbort = (): void => {
        timer.clear();
        reject(signal === undefined ? new Error('aborted') : reasonOf(signal));
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** A timer that may run longer than Node's own: it is set again until the whole delay is over. */
class NodeTimer implements TimerHandle {
  readonly #fire: () => void;
  readonly #unref: boolean;
  #leftMs: number;
  #timeout: NodeJS.Timeout;

  constructor(delayMs: number, fire: () => void, unref: boolean) {
    this.#fire = fire;
    this.#unref = unref;
    this.#leftMs = Math.max(0, delayMs);
    this.#timeout = this.#arm();
  }

  clear(): void {
    clearTimeout(this.#timeout);
  }

  #arm(): NodeJS.Timeout {
    const stepMs = Math.min(this.#leftMs, TIMER_DELAY_MS_MAX);
    this.#leftMs -= stepMs;
    const timeout = setTimeout(() => {
      if (this.#leftMs > 0) this.#timeout = this.#arm();
      else this.#fire();
    }, stepMs);
    if (this.#unref) timeout.unref();
    return timeout;
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
