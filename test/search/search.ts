/**
 * Breadth first through every world that the bounds allow, so that the first violation found is one of
 * the shortest. Worlds are told apart by 64 bits of hash; a run of some millions mistakes two for one
 * with a chance of about one in a million, and then misses what follows one of them.
 */
import { act, actionsOf } from './act.ts';
import { StateSet } from './state-hash.ts';
import { transcriptOf } from './transcript.ts';
import { type Action, type Bounds, firstWorld, type World } from './world.ts';

export interface SearchResult {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest shortest way to a state. */
  readonly depth: number;
  /** Null when every state was seen and none was wrong. */
  readonly violation: {
    readonly message: string;
    readonly transcript: readonly string[];
  } | null;
  /** The bound on states was reached first. */
  readonly isCut: boolean;
}

/** How a state was reached: the state before, and which of its actions led here. */
class Ways {
  #parents = new Uint32Array(1 << 16);
  #choices = new Uint8Array(1 << 16);
  #size = 0;

  add(parent: number, choice: number): number {
    if (this.#size === this.#parents.length) this.#grow();
    this.#parents[this.#size] = parent;
    this.#choices[this.#size] = choice;
    this.#size += 1;
    return this.#size - 1;
  }

  /** Choices from the first state to `place`. */
  to(place: number): readonly number[] {
    const choices: number[] = [];
    for (let at = place; at !== 0; at = this.#parents[at] ?? 0)
      choices.push(this.#choices[at] ?? 0);
    return choices.reverse();
  }

  #grow(): void {
    const [parents, choices] = [this.#parents, this.#choices];
    this.#parents = new Uint32Array(parents.length * 2);
    this.#choices = new Uint8Array(parents.length * 2);
    this.#parents.set(parents);
    this.#choices.set(choices);
  }
}

export function search(bounds: Bounds, statesMax: number = Number.POSITIVE_INFINITY): SearchResult {
  const first = firstWorld(bounds);
  const seen = new StateSet();
  const ways = new Ways();
  seen.add(first);
  let frontier = [{ world: first, place: ways.add(0, 0) }];
  let depth = 0;
  let transitions = 0;
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { world, place } of frontier) {
      const actions = actionsOf(world);
      for (const [choice, action] of actions.entries()) {
        transitions += 1;
        const outcome = tried(world, action);
        if (outcome instanceof Error) {
          const { message } = outcome;
          const transcript = transcriptOf(bounds, [...ways.to(place), choice]);
          const violation = { message, transcript: [...transcript, `✖ ${message}`] };
          return { states: seen.size, transitions, depth: depth + 1, violation, isCut: false };
        }
        if (!seen.add(outcome)) continue;
        next.push({ world: outcome, place: ways.add(place, choice) });
        if (seen.size >= statesMax) {
          return { states: seen.size, transitions, depth, violation: null, isCut: true };
        }
      }
    }
    if (next.length > 0) depth += 1;
    frontier = next;
  }
  return { states: seen.size, transitions, depth, violation: null, isCut: false };
}

function tried(world: World, action: Action): World | Error {
  try {
    return act(world, action);
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}
