/** The manifest store that the flags name. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import type { Random } from '../ports/random.ts';
import { FsManifestStore } from '../snapshots/index.ts';

export interface StoreSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** The store below `root`; null stands for the one in the home folder, shared by all jobs of a person. */
export function openManifestStore(root: string | null, ports: StoreSurroundings): ManifestStore {
  const { clock, random, events } = ports;
  return new FsManifestStore({
    root: root ?? join(homedir(), '.mx8', 'manifests'),
    clock,
    random,
    events,
  });
}
