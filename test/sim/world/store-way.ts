/**
 * The way from a process to the store and back. What was sent arrives although its sender has died;
 * the answer reaches only the process that asked. On a cut way both wait until it is open again.
 */
import type { Network } from './network.ts';
import { STORE_PLACE } from './network.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

/** Once everything is healed the store is fast. */
const HEALED_MS = 3;

export class StoreWay {
  readonly #world: World;
  readonly #network: Network;

  constructor(world: World, network: Network) {
    this.#world = world;
    this.#network = network;
  }

  /** Does `apply` at the store, at once; what it throws is the answer too. */
  call<T>(process: Process, apply: () => T | Promise<T>): Promise<T> {
    if (!process.isAlive) return new Promise<T>(() => undefined);
    return new Promise<T>((resolve, reject) => {
      this.toStore(process, this.delayMs(), () => {
        let answer: T | Promise<T>;
        try {
          answer = apply();
          // Whoever asked may not live to hear of it.
          if (answer instanceof Promise) answer.catch(() => undefined);
        } catch (error) {
          this.toProcess(process, this.delayMs(), () => reject(asError(error)));
          return;
        }
        this.toProcess(process, this.delayMs(), () => resolve(answer));
      });
    });
  }

  /** One way there: happens although the process has died. What the store does it does at once. */
  toStore(process: Process, delayMs: number, run: () => void): void {
    this.#world.afterPlain(delayMs, () => {
      const openMs = this.#network.openAtMs(process.place, STORE_PLACE);
      if (openMs <= this.#world.nowMs) run();
      else this.#world.afterPlain(openMs - this.#world.nowMs, run);
    });
  }

  toProcess(process: Process, delayMs: number, run: () => void): void {
    this.#world.after(delayMs, process, () => {
      const openMs = this.#network.openAtMs(STORE_PLACE, process.place);
      if (openMs <= this.#world.nowMs) run();
      else this.#world.after(openMs - this.#world.nowMs, process, run);
    });
  }

  delayMs(): number {
    return this.#world.chance.between(
      1,
      this.#world.isFaulty ? this.#world.scene.storeDelayMs : HEALED_MS,
    );
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
