/**
 * From a dataset link to a pinned manifest in the store. Resolvers of one BASE take turns, so that those
 * who race for its first snapshot end with the same one.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { parseLink, pinnedLink } from '../core/manifest/dataset-link.ts';
import type { DatasetLink } from '../core/manifest/dataset-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestStore, StampWriter } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import { indexFolder } from './index-folder.ts';
import { indexPrefix } from './index-prefix.ts';
import { canonicalBase, locateBase } from './locate-base.ts';
import type { Base } from './locate-base.ts';
import { canonicalised, manifestFileBytes } from './read-manifest-file.ts';
import { LooseWatch, stampListed } from './stamp-files.ts';
import type { WalkTally } from './walk-folder.ts';

export interface ResolveProgress {
  /** `waiting` for another resolver of the same base, then `indexing`. */
  readonly phase: 'waiting' | 'indexing';
  readonly samples: number;
}

export interface ResolveOptions {
  readonly store: ManifestStore;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Where objects are; absent: only files are resolved. */
  readonly places?: Places | undefined;
  readonly onProgress?: (progress: ResolveProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ResolvedLink {
  /** BASE as the store knows it: an absolute path or a URL. */
  readonly base: string;
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly manifestBytes: number;
  /** True when this call made the snapshot, false when it was there. */
  readonly isNew: boolean;
  /** When the snapshot that a plain link found was taken; null where it is new, pinned, or unknown. */
  readonly takenUnixMs: number | null;
  /** `BASE@sha256:<hash>`: names this snapshot for ever. */
  readonly pinnedLink: string;
}

export async function resolveLink(link: string, options: ResolveOptions): Promise<ResolvedLink> {
  const parsed = parseLink(link);
  const base = canonicalBase(parsed.base);
  const { hash, isNew, takenUnixMs } = await pin({ ...parsed, base }, options);
  const reader = await options.store.open(hash);
  const { sampleCount, manifestBytes } = reader;
  await reader.close();
  if (sampleCount === 0) throw emptyManifest(base, hash);
  return {
    base,
    hash,
    sampleCount,
    manifestBytes,
    isNew,
    takenUnixMs,
    pinnedLink: pinnedLink(base, hash),
  };
}

type Pinned = Pick<ResolvedLink, 'hash' | 'isNew' | 'takenUnixMs'>;

async function pin(link: DatasetLink, options: ResolveOptions): Promise<Pinned> {
  if (link.type === 'pinned') return { hash: link.hash, isNew: false, takenUnixMs: null };
  const { store, signal } = options;
  const { base } = link;
  if (link.type === 'plain') {
    const known = await knownSnapshot(base, options);
    if (known !== null) return known;
  }
  // Asked before the lock is taken: a mistyped link leaves no trace in the store.
  await locateBase(base, options.places, signal);
  options.onProgress?.({ phase: 'waiting', samples: 0 });
  return store.withLock(base, signal, async () => {
    const known = link.type === 'plain' ? await knownSnapshot(base, options) : null;
    if (known !== null) return known;
    const hash = await takeSnapshot(base, options);
    await store.setCurrent(base, hash);
    return { hash, isNew: true, takenUnixMs: null };
  });
}

/** The current snapshot of `base`, as long as the store still has its bytes. */
async function knownSnapshot(
  base: string,
  { store, clock, events }: ResolveOptions,
): Promise<Pinned | null> {
  const current = await store.current(base);
  if (current === null || !(await store.has(current.hash))) return null;
  const { hash, sinceUnixMs } = current;
  // What has changed in the folder since is not seen: whoever wonders why finds it here.
  events.emit('info', 'snapshot_reused', {
    base,
    manifest_hash: hash,
    taken_unix_ms: sinceUnixMs,
    age_s: sinceUnixMs === null ? null : Math.round((clock.unixMs() - sinceUnixMs) / 1000),
    refresh: `${base}@refresh`,
  });
  return { hash, isNew: false, takenUnixMs: sinceUnixMs };
}

async function takeSnapshot(base: string, options: ResolveOptions): Promise<ManifestHash> {
  const { store, clock, events, signal } = options;
  const startedAt = clock.nowMs();
  const tally: WalkTally = { skippedEntries: 0, specialFiles: 0, linkLoops: 0 };
  const onSamples = (samples: number): void => options.onProgress?.({ phase: 'indexing', samples });
  onSamples(0);
  const found = await locateBase(base, options.places, signal);
  await using stamps = await store.stampWriter();
  const { hash, sampleCount } = await putFound(found, options, stamps, tally, onSamples);
  await stamps.keep(hash);
  if (sampleCount === 0) throw emptyManifest(base, hash);
  onSamples(sampleCount);
  events.emit('info', 'snapshot_index_summary', {
    base,
    manifest_hash: hash,
    samples: sampleCount,
    skipped_entries: tally.skippedEntries,
    special_files: tally.specialFiles,
    link_loops: tally.linkLoops,
    elapsed_ms: Math.round(elapsedMs(startedAt, clock.nowMs())),
  });
  return hash;
}

function putFound(
  found: Base,
  options: ResolveOptions,
  stamps: StampWriter,
  tally: WalkTally,
  onSamples: (samples: number) => void,
): Promise<Stored> {
  const { store, signal } = options;
  switch (found.type) {
    case 'folder':
      return store.put(indexFolder({ root: found.path, tally, stamps, onSamples, signal }));
    case 'prefix':
      return store.put(indexPrefix({ ...found, tally, stamps, onSamples, signal }));
    case 'manifest':
      return putManifestFile(found, options, stamps, onSamples);
    default:
      return found satisfies never;
  }
}

/** Canonical bytes go in as they are; anything else is read as a manifest may be, and written anew. */
async function putManifestFile(
  found: Extract<Base, { type: 'manifest' }>,
  options: ResolveOptions,
  stamps: StampWriter,
  onSamples: (samples: number) => void,
): Promise<Stored> {
  const { store, signal, places } = options;
  const loose = new LooseWatch();
  let stored: Stored;
  try {
    stored = await store.put(loose.watch(manifestFileBytes(found.path, places, signal)));
  } catch (error) {
    if (!(error instanceof Mx8Error) || error.code !== 'manifest_invalid') throw error;
    const bytes = canonicalised(found.path, !found.isPacked, onSamples, places, signal);
    stored = await store.put(loose.watch(bytes));
  }
  if (!loose.found) return stored;
  const reader = await store.open(stored.hash);
  try {
    await stampListed(reader, stamps, places, signal);
  } finally {
    await reader.close();
  }
  return stored;
}

type Stored = Awaited<ReturnType<ManifestStore['put']>>;

function emptyManifest(base: string, hash: ManifestHash): Mx8Error {
  return new Mx8Error('input_empty', `The manifest ${hash} of ${base} lists no sample.`, {
    base,
    manifest_hash: hash,
  });
}
