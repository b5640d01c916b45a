/** The manifest store that the flags name. */
import { processVariables } from '../platform/variables.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import type { Random } from '../ports/random.ts';
import type { Variables } from '../ports/variables.ts';
import { openManifestStore as openStore } from '../snapshots/index.ts';
import type { StoreTraffic } from '../storage/http/store-traffic.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../storage/places.ts';
import type { PlaceSurroundings, StoreOptions } from '../storage/places.ts';

export interface StoreSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** What is under way to stores in this process, where others are to know of it. */
  readonly traffic?: StoreTraffic;
}

export interface ManifestStoreFlagOptions {
  /** Null stands for the one in the home folder, shared by all jobs of a person. */
  readonly manifestStoreRoot: string | null;
  readonly manifestCacheBytes?: number;
}

export function openManifestStore(
  { manifestStoreRoot, manifestCacheBytes: cacheBytes }: ManifestStoreFlagOptions,
  ports: StoreSurroundings,
  stores: StoreOptions = STORE_DEFAULTS,
): ManifestStore {
  const { clock, random, events } = ports;
  const variables = processVariables();
  const openPlaces = (): OpenPlaces => new OpenPlaces(stores, surroundingsOf(ports, variables));
  const copies = cacheBytes === undefined ? {} : { cacheBytes };
  return openStore(manifestStoreRoot, { clock, random, events, openPlaces, ...copies });
}

export function surroundingsOf(
  { clock, random, events, traffic }: StoreSurroundings,
  variables: Variables,
): PlaceSurroundings {
  return { clock, random, events, variables, ...(traffic === undefined ? {} : { traffic }) };
}
