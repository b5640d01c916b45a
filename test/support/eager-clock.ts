import { setImmediate as turn } from 'node:timers/promises';

import { monoMs, unixMs } from '../../src/core/base/units.ts';
import type { MonoMs, UnixMs } from '../../src/core/base/units.ts';
import type { Clock, TimerHandle } from '../../src/ports/clock.ts';

/** A clock that moves on at once when somebody sleeps, so that polling takes no real time. */
export class EagerClock implements Clock {
  #nowMs = 0;

  nowMs(): MonoMs {
    return monoMs(this.#nowMs);
  }

  unixMs(): UnixMs {
    return unixMs(1_700_000_000_000 + this.#nowMs);
  }

  /** Never fires: nothing that is tested with this clock waits for a timer. */
  setTimer(): TimerHandle {
    return { clear: () => undefined };
  }

  defer(fire: () => void): void {
    setImmediate(fire);
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    await turn();
    signal?.throwIfAborted();
    this.#nowMs += delayMs;
  }
}
