/**
 * Plays seeds in one thread, one world after another. The real writer and log are asynchronous: after each
 * event all promises must settle before the next. A tick does that, as Node runs ticks and promises until none
 * is left; to begin one by hand is much cheaper than to have the next event wait for one of its own.
 */
import { sceneOf } from '../scene.ts';
import { Simulation } from '../simulation.ts';
import type { Violation, World } from '../world/world.ts';

/** What Node itself calls at the end of a turn: in no document, but on `process` since its beginnings. */
const settle = (process as unknown as { readonly _tickCallback: () => void })._tickCallback;

export interface Played {
  readonly seed: number;
  readonly events: number;
  readonly entries: number;
  readonly endMs: number;
  /** Of everything that happened and of the log. */
  readonly hash: number;
  readonly violation: Violation | null;
}

export interface Run {
  readonly from: number;
  readonly count: number;
  readonly say?: (line: string) => void;
  /** Called for each seed in their order. False ends the run. */
  readonly onPlayed: (played: Played, simulation: Simulation) => boolean;
}

/** Plays `count` seeds from `from` on. */
export async function playSeeds({ from, count, say, onPlayed }: Run): Promise<void> {
  // A refusal is an error in places; where it was made is of no interest, and costly to find out.
  if (say === undefined) Error.stackTraceLimit = 0;
  let world: World | null = null;
  const onRejection = (reason: unknown): void => {
    world?.fail('no bugs', `nobody waited for a promise: ${String(reason)}`);
  };
  process.on('unhandledRejection', onRejection);
  try {
    for (let seed = from; seed < from + count; seed += 1) {
      const simulation = new Simulation(sceneOf(seed), say ?? null);
      world = simulation.world;
      await simulation.begin();
      await playToEnd(world);
      if (!onPlayed(resultOf(seed, simulation), simulation)) return;
    }
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

function playToEnd(world: World): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      while (step(world)) settle();
      // Promises that failed and that nobody waited for are told of at the end of this turn.
      setImmediate(resolve);
    });
  });
}

/** What throws out of an event is a bug too: an assertion of a machine that runs in it. */
function step(world: World): boolean {
  try {
    return world.step();
  } catch (error) {
    world.fail('no bugs', String(error));
    return false;
  }
}

function resultOf(seed: number, { world, truth }: Simulation): Played {
  return {
    seed,
    events: world.events,
    entries: truth.tailSeq,
    endMs: world.nowMs,
    hash: world.hash >>> 0,
    violation: world.violation,
  };
}
