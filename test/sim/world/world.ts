/**
 * A world of its own for one seed: time, what is planned, chance, a trace and its hash. One event
 * happens at a time; whoever drives it (`../run/play-seeds.ts`) lets every promise settle before the next.
 */
import type { Scene } from '../scene.ts';
import { Chance } from './chance.ts';
import { Coverage } from './coverage.ts';
import { atMsOf, EventQueue, type Planned } from './event-queue.ts';
import type { Process } from './process.ts';

export interface Violation {
  /** The checker that found it. */
  readonly checker: string;
  readonly message: string;
  readonly atMs: number;
}

/** Events after which a world is held to run in a circle. */
const EVENTS_MAX = 120_000;

export class World {
  readonly scene: Scene;
  readonly chance: Chance;
  readonly coverage: Coverage = new Coverage();
  readonly #queue: EventQueue = new EventQueue();
  readonly #say: ((line: string) => void) | null;
  /** What is to be done when all promises have settled, before the next event. */
  #settled: (() => void)[] = [];
  /** Nothing of it leaves a promise behind. */
  #isSettledPlain = true;
  nowMs = 0;
  events = 0;
  hash = 0x811c9dc5;
  violation: Violation | null = null;
  /** False from the moment on at which everything is healed. */
  isFaulty = true;
  isOver = false;

  constructor(scene: Scene, say: ((line: string) => void) | null = null) {
    this.scene = scene;
    this.chance = new Chance(scene.seed);
    this.#say = say;
  }

  get isVerbose(): boolean {
    return this.#say !== null;
  }

  after(delayMs: number, owner: Process | null, run: () => void): Planned {
    return this.#queue.push(this.nowMs + Math.max(0, delayMs), owner, run);
  }

  /** The world's own doing, which leaves no promise behind that anybody could wait for. */
  afterPlain(delayMs: number, run: () => void): void {
    this.#queue.push(this.nowMs + Math.max(0, delayMs), null, run, true);
  }

  /** Runs `run` once every promise has settled, still at this time. What is plain leaves none behind itself. */
  onceSettled(run: () => void, isPlain = false): void {
    this.#settled.push(run);
    this.#isSettledPlain &&= isPlain;
  }

  /**
   * Events up to one that may have left promises behind; false when the world is over. They settle between
   * two calls.
   */
  step(): boolean {
    for (;;) {
      if (this.#settled.length > 0) {
        const isPlain = this.#runSettled();
        if (this.#isEnded()) return false;
        if (!isPlain) return true;
        continue;
      }
      const planned = this.#queue.pop();
      if (planned === null) {
        this.fail('progress', 'nothing is planned any more, and the jobs have not ended');
        return false;
      }
      if (!this.#happens(planned)) continue;
      if (this.events > EVENTS_MAX) this.fail('progress', `${EVENTS_MAX} events have passed`);
      if (this.#isEnded()) return false;
      if (!planned.isPlain) return true;
    }
  }

  /** Whether that left no promise behind. */
  #runSettled(): boolean {
    const settled = this.#settled;
    const isPlain = this.#isSettledPlain;
    this.#settled = [];
    this.#isSettledPlain = true;
    for (const run of settled) run();
    return isPlain;
  }

  /** False for what was cancelled, was to be done by a process that has died, or has to wait for one. */
  #happens(planned: Planned): boolean {
    const { owner } = planned;
    if (planned.isCancelled || owner?.isAlive === false) return false;
    this.nowMs = Math.max(this.nowMs, atMsOf(planned));
    if (owner !== null && owner.pausedUntilMs > this.nowMs) {
      this.#postpone(planned, owner);
      return false;
    }
    this.events += 1;
    planned.run();
    return true;
  }

  /** The first thing found wrong ends the world. */
  fail(checker: string, message: string): void {
    this.violation ??= { checker, message, atMs: this.nowMs };
    this.say(() => `VIOLATION of ${checker}: ${message}`);
  }

  say(line: () => string): void {
    this.#say?.(`${String(this.nowMs).padStart(6)} ${line()}`);
  }

  /** Makes what happens here part of the world's hash. */
  mix(...values: readonly number[]): void {
    let { hash } = this;
    for (const value of values) hash = Math.imul(hash ^ value, 0x01000193) >>> 0;
    this.hash = hash ^ (hash >>> 15);
  }

  mixBytes(bytes: Uint8Array): void {
    let { hash } = this;
    // Of what is long (a past that was written in one go) every eighth byte.
    const step = bytes.length > 4096 ? 8 : 1;
    for (let at = 0; at < bytes.length; at += step)
      hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    this.hash = (hash ^ (hash >>> 15)) >>> 0;
  }

  #isEnded(): boolean {
    return this.isOver || this.violation !== null;
  }

  /** The event keeps its place among those that wait for the same process. */
  #postpone(planned: Planned, owner: Process): void {
    const again = this.#queue.push(owner.pausedUntilMs, owner, () => {
      if (!planned.isCancelled) planned.run();
    });
    again.isCancelled = planned.isCancelled;
  }
}
