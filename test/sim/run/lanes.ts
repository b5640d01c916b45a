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
export function playSeeds({ from, count, say, onPlayed }: Run): Promise<void> {
  let next = from;
  // A refusal is an error in places; where it was made is of no interest, and costly to find out.
  if (say === undefined) Error.stackTraceLimit = 0;
  let isStopped = false;
  const lanes: (Lane | null)[] = Array.from({ length: Math.min(LANES, count) }, () => null);
  return new Promise<void>((resolve, reject) => {
    const turn = (): void => {
      try {
        let busy = 0;
        for (let at = 0; at < lanes.length; at += 1) {
          let lane = lanes[at] ?? null;
          if (lane === null) {
            if (next >= from + count || isStopped) continue;
            lane = begin(next, say ?? null);
            lanes[at] = lane;
            next += 1;
          }
          busy += 1;
          if (lane.simulation.world.step()) continue;
          lanes[at] = null;
          if (!onPlayed(resultOf(lane), lane.simulation)) isStopped = true;
        }
        if (busy > 0) setImmediate(turn);
        else resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    turn();
  });
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
