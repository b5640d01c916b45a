/**
 * Plays many seeds in one thread. The real writer and log are asynchronous: after each event of a world
 * all its promises must settle before the next. One turn of the event loop does that for every world at
 * hand, so some dozens are played side by side, each as deterministic as if it were alone.
 */
import { sceneOf } from '../scene.ts';
import { Simulation } from '../simulation.ts';
import type { Violation } from '../world/world.ts';

export interface Played {
  readonly seed: number;
  readonly events: number;
  readonly entries: number;
  readonly endMs: number;
  /** Of everything that happened and of the log. */
  readonly hash: number;
  readonly violation: Violation | null;
}

const LANES = 12;

interface Lane {
  readonly seed: number;
  readonly simulation: Simulation;
}

export interface Run {
  readonly from: number;
  readonly count: number;
  readonly say?: (line: string) => void;
  /** Called for each seed, in the order in which they end. False ends the run. */
  readonly onPlayed: (played: Played, simulation: Simulation) => boolean;
}

/** Plays `count` seeds from `from` on. */
export function playSeeds(run: Run): Promise<void> {
  return new Player(run).play();
}

class Player {
  readonly #run: Run;
  readonly #lanes: (Lane | null)[];
  #next: number;
  #isStopped = false;

  constructor(run: Run) {
    this.#run = run;
    this.#next = run.from;
    this.#lanes = Array.from({ length: Math.min(LANES, run.count) }, () => null);
    // A refusal is an error in places; where it was made is of no interest, and costly to find out.
    if (run.say === undefined) Error.stackTraceLimit = 0;
  }

  async play(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onRejection = (reason: unknown): void => this.#blame(reason);
    process.on('unhandledRejection', onRejection);
    const turn = (): void => {
      try {
        if (this.#turn()) setImmediate(turn);
        else resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    turn();
    await promise.finally(() => process.off('unhandledRejection', onRejection));
  }

  /** One event in each world; false when all have ended. */
  #turn(): boolean {
    const { from, count, say, onPlayed } = this.#run;
    let isBusy = false;
    for (let at = 0; at < this.#lanes.length; at += 1) {
      let lane = this.#lanes[at] ?? null;
      if (lane === null) {
        if (this.#next >= from + count || this.#isStopped) continue;
        lane = begin(this.#next, say ?? null);
        this.#lanes[at] = lane;
        this.#next += 1;
      }
      isBusy = true;
      if (step(lane)) continue;
      this.#lanes[at] = null;
      if (!onPlayed(resultOf(lane), lane.simulation)) this.#isStopped = true;
    }
    return isBusy;
  }

  /** Nobody waited for a promise that failed: that is a bug, in one of the worlds at hand. */
  #blame(reason: unknown): void {
    for (const lane of this.#lanes) {
      lane?.simulation.world.fail('no bugs', `nobody waited for a promise: ${String(reason)}`);
    }
  }
}

/** What throws out of an event is a bug too: an assertion of a machine that runs in it. */
function step({ simulation: { world } }: Lane): boolean {
  try {
    return world.step();
  } catch (error) {
    world.fail('no bugs', String(error));
    return false;
  }
}

function begin(seed: number, say: ((line: string) => void) | null): Lane {
  const simulation = new Simulation(sceneOf(seed), say);
  simulation.begin();
  return { seed, simulation };
}

function resultOf({ seed, simulation }: Lane): Played {
  const { world, truth } = simulation;
  return {
    seed,
    events: world.events,
    entries: truth.tailSeq,
    endMs: world.nowMs,
    hash: world.hash >>> 0,
    violation: world.violation,
  };
}
