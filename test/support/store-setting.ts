/** What a place needs of its surroundings, with little patience, and what it told. */
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { EventFields } from '../../src/ports/event-sink.ts';
import type { PlaceSurroundings } from '../../src/storage/places.ts';

export interface StoreSetting extends PlaceSurroundings {
  readonly told: readonly { readonly event: string; readonly fields: EventFields }[];
}

/** Where a store is sound, so that only a busy machine could let time pass. */
export const PATIENT: Partial<PlaceSurroundings> = {
  retry: { baseMs: 5, maxMs: 50, budgetMs: 60_000 },
  stallMs: 20_000,
};

export function storeSetting(given: Partial<PlaceSurroundings> = {}): StoreSetting {
  const told: { event: string; fields: EventFields }[] = [];
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    events: { emit: (_level, event, fields = {}) => void told.push({ event, fields }) },
    retry: { baseMs: 5, maxMs: 50, budgetMs: 2_000 },
    stallMs: 400,
    variables: {},
    ...given,
    told,
  };
}
