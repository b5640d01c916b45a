/**
 * The ways between processes: messages take time, get lost, come twice, come late and so in another
 * order; a way can be cut in one direction or both. Messages on a cut way are lost.
 */
import { FAR_MS } from '../scene.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

const PLACES_MAX = 16;
/** The store has a place too: it can be cut off from a coordinator alone. */
export const STORE_PLACE = 15;

/** Once everything is healed, messages are fast, but where those who speak are far from each other. */
const HEALED_MS = 5;

export class Network {
  readonly #world: World;
  /** By from * PLACES_MAX + to: until when nothing passes. */
  readonly #cutUntilMs: Float64Array = new Float64Array(PLACES_MAX * PLACES_MAX);
  /** Bits of the phase that the coordinator is in which a message concerns, for coverage. */
  phasesAt: (place: number) => number = () => 0;

  constructor(world: World) {
    this.#world = world;
  }

  cut(from: number, to: number, durationMs: number): void {
    const way = from * PLACES_MAX + to;
    const untilMs = this.#world.nowMs + durationMs;
    this.#cutUntilMs[way] = Math.max(this.#cutUntilMs[way] ?? 0, untilMs);
  }

  /** When the way is open again; now or earlier when it is open. */
  openAtMs(from: number, to: number): number {
    return this.#cutUntilMs[from * PLACES_MAX + to] ?? 0;
  }

  isCut(from: number, to: number): boolean {
    return this.openAtMs(from, to) > this.#world.nowMs;
  }

  heal(): void {
    this.#cutUntilMs.fill(0);
  }

  get #most(): number {
    const { isFaulty, scene } = this.#world;
    return isFaulty || scene.networkDelayMs === FAR_MS ? scene.networkDelayMs : HEALED_MS;
  }

  delayMs(): number {
    return this.#world.chance.between(1, this.#most);
  }

  /** Brings `deliver` to the process, once, twice or never. `about` is the coordinator it concerns. */
  send(from: number, to: Process, about: number, deliver: () => void): void {
    const world = this.#world;
    if (this.isCut(from, to.place)) return;
    let delayMs = this.delayMs();
    if (world.isFaulty) {
      const { rates } = world.scene;
      if (world.chance.happens(rates.lost)) {
        world.coverage.count('message lost', this.phasesAt(about));
        return;
      }
      if (world.chance.happens(rates.doubled)) {
        world.coverage.count('message doubled', this.phasesAt(about));
        this.#deliver(from, to, delayMs + world.chance.between(1, 400), deliver);
      }
      if (world.chance.happens(rates.late)) {
        world.coverage.count('message late', this.phasesAt(about));
        delayMs += world.chance.between(20, 900);
      }
    }
    this.#deliver(from, to, delayMs, deliver);
  }

  #deliver(from: number, to: Process, delayMs: number, deliver: () => void): void {
    this.#world.after(delayMs, to, () => {
      if (!this.isCut(from, to.place)) deliver();
    });
  }
}
