/**
 * One start of one simulated process. It can die (nothing that was planned for it happens any more,
 * what it has sent still arrives), be paused (what comes meanwhile comes at the end of the pause), and
 * its clocks are its own: the monotonic one runs at its own rate, the wall clock jumps.
 */
import { type MonoMs, monoMs, type UnixMs, unixMs } from '../../../src/core/base/units.ts';
import type { Clock, TimerHandle } from '../../../src/ports/clock.ts';
import type { Planned } from './event-queue.ts';
import type { World } from './world.ts';

const UNIX_START_MS = 1_700_000_000_000;

export class Process implements Clock {
  readonly world: World;
  readonly name: string;
  /** Of this process in the network. */
  readonly place: number;
  /** What happens in it leaves no promise behind: the next event need not wait for any to settle. */
  readonly isPlain: boolean;
  isAlive = true;
  pausedUntilMs = 0;
  /** Milliseconds of its own that pass in a second of the world. */
  readonly rateMs: number;
  #baseMs: number;
  readonly #sinceMs: number;
  #wallOffsetMs: number;
  /** Jumps of the monotonic clock: where it stood, and by how much it went on. */
  readonly #leaps: { readonly atMs: number; readonly deltaMs: number }[] = [];

  constructor(world: World, name: string, place: number, rateMs = 1000, isPlain = false) {
    this.world = world;
    this.name = name;
    this.place = place;
    this.rateMs = rateMs;
    this.isPlain = isPlain;
    this.#sinceMs = world.nowMs;
    this.#baseMs = 1000 + world.chance.below(100_000);
    this.#wallOffsetMs = world.chance.between(-20_000, 20_000);
  }

  nowMs(): MonoMs {
    return monoMs(this.#baseMs + ((this.world.nowMs - this.#sinceMs) * this.rateMs) / 1000);
  }

  unixMs(): UnixMs {
    return unixMs(UNIX_START_MS + this.world.nowMs + this.#wallOffsetMs);
  }

  /** The wall clock is set; with `alsoMonotonic` the machine slept and its monotonic clock counted that. */
  jump(deltaMs: number, alsoMonotonic: boolean): void {
    this.#wallOffsetMs += deltaMs;
    if (!alsoMonotonic || deltaMs <= 0) return;
    this.#leaps.push({ atMs: this.nowMs(), deltaMs });
    this.#baseMs += deltaMs;
  }

  /** How much of what its monotonic clock counted since it stood at `sinceMs` never passed. */
  leaptMsSince(sinceMs: number): number {
    let sumMs = 0;
    for (const { atMs, deltaMs } of this.#leaps) if (atMs >= sinceMs) sumMs += deltaMs;
    return sumMs;
  }

  /** Milliseconds of the world until `delayMs` of its own have passed, as its clock runs now. */
  worldDelayMs(delayMs: number): number {
    return Math.ceil((Math.max(0, delayMs) * 1000) / this.rateMs);
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const planned = this.world.after(this.worldDelayMs(delayMs), this, fire);
    return {
      clear: () => {
        planned.isCancelled = true;
      },
    };
  }

  defer(fire: () => void): void {
    this.world.after(0, this, fire);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      const abort = (): void => {
        timer.clear();
        const reason: unknown = signal?.reason;
        reject(reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`));
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Runs `run` in this process after `delayMs` of the world's time. */
  later(delayMs: number, run: () => void): Planned {
    return this.world.after(delayMs, this, run);
  }

  pause(durationMs: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.world.nowMs + durationMs);
  }

  die(): void {
    this.isAlive = false;
  }
}
