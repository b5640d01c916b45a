/** The manifest store that a text names: a folder, or a prefix of a store of objects. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { outputLocation } from '../storage/output-stores.ts';
import { isRemote } from '../storage/places.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { MANIFEST_CACHE_BYTES_DEFAULT } from './limits.ts';
import { manifestCacheRetention, manifestCacheRoot, tidyManifestCache } from './manifest-cache.ts';
import { ObjectManifestStore } from './object-manifest-store.ts';

export interface ManifestStorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Called only where the store is not on this machine. What it opens keeps no process alive. */
  readonly openPlaces: () => Places;
  /** What copies of manifests of stores take on this machine at most. */
  readonly cacheBytes?: number;
}

/** Null stands for the one in the home folder, shared by all jobs of a person. */
export function openManifestStore(root: string | null, ports: ManifestStorePorts): ManifestStore {
  const { clock, random, events, openPlaces } = ports;
  if (root === null || !isRemote(root)) {
    const folder = root ?? join(homedir(), '.mx8', 'manifests');
    return new FsManifestStore({ root: folder, clock, random, events });
  }
  const location = outputLocation(root);
  const place = openPlaces().writable(location);
  if (place === null) {
    const message = `Manifests cannot be kept in ${root}: a store is a folder, or s3://, gs:// or az://BUCKET/PREFIX.`;
    throw new Mx8Error('scheme_unsupported', message, { path: root });
  }
  const name = createHash('sha256').update(location).digest('hex').slice(0, 16);
  const cache = join(manifestCacheRoot(), name);
  const tidy = (): Promise<void> => tidyCopies(ports);
  return new ObjectManifestStore({ location, place, cache, clock, random, events, tidy });
}

async function tidyCopies({ clock, events, cacheBytes }: ManifestStorePorts): Promise<void> {
  const retention = manifestCacheRetention(cacheBytes ?? MANIFEST_CACHE_BYTES_DEFAULT);
  const root = manifestCacheRoot();
  const { removed } = await tidyManifestCache(root, retention, clock.unixMs());
  if (removed.length === 0) return;
  const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
  events.emit('info', 'manifest_cache_tidied', { path: root, manifests: removed.length, bytes });
}
