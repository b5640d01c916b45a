/**
 * From a dataset link to a pinned manifest in the store. Resolvers of one BASE take turns, so that those
 * who race for its first snapshot end with the same one.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { parseLink, pinnedLink } from '../core/manifest/dataset-link.ts';
import type { DatasetLink } from '../core/manifest/dataset-link.ts';
import { formatOfHint } from '../core/format/format-name.ts';
import type { FormatChoice, FormatName } from '../core/format/format-name.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestReader, ManifestStore, StampWriter } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import { Announcement } from './announcement.ts';
import { canonicalBase } from './locate-base.ts';
import type { Base } from './locate-base.ts';
import { intentOf, locateInput } from './locate-input.ts';
import { emptyTally, leftOutOf } from './walk-folder.ts';
import { putSamples } from './put-samples.ts';
import type { UnpackBudget } from './scan-shard.ts';
import type { ShardTally } from './shard-files.ts';
import { canonicalised, manifestFileBytes } from './read-manifest-file.ts';
import type { SnapshotFollower } from './snapshot-follower.ts';
import { LooseWatch, stampListed } from './stamp-files.ts';
import { watchAnnounced } from './watch-announced.ts';
import type { StopWatching } from './watch-announced.ts';

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
  /** What samples are made of; by default each file of a folder is one, and a file goes by its name. */
  readonly format?: FormatChoice | null;
  /** What a row of a Parquet or Arrow file is made of; all columns by default. */
  readonly columns?: readonly string[] | null;
  /** Of Parquet and Arrow files: so many rows are a sample, as columns; each is one by default, as JSON. */
  readonly rowsPerSample?: number | null;
  /** What decompressing may come to. */
  readonly unpack?: UnpackBudget;
  readonly follower?: SnapshotFollower;
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
  /** What its samples are made of. */
  readonly format: FormatName;
  /** Why, and what else there would be, where this call found out; else null. */
  readonly formatReason: string | null;
  /** `BASE@sha256:<hash>`: names this snapshot for ever. */
  readonly pinnedLink: string;
}

export async function resolveLink(link: string, options: ResolveOptions): Promise<ResolvedLink> {
  const parsed = parseLink(link);
  const base = canonicalBase(parsed.base);
  const pinned = await pin({ ...parsed, base }, options);
  const { hash, isNew, takenUnixMs, formatReason } = pinned;
  const reader = await options.store.open(hash);
  if (!isNew) options.follower?.stored(await options.store.open(hash));
  const { sampleCount, manifestBytes } = reader;
  const format = await formatOf(reader);
  await reader.close();
  if (sampleCount === 0) throw emptyManifest(base, hash);
  return {
    base,
    hash,
    sampleCount,
    manifestBytes,
    isNew,
    takenUnixMs,
    format,
    formatReason,
    pinnedLink: pinnedLink(base, hash),
  };
}

async function formatOf(reader: ManifestReader): Promise<FormatName> {
  const end = Math.min(1, reader.sampleCount);
  for await (const [first] of reader.records(0, end)) return formatOfHint(first?.decodeHint ?? '');
  return 'files';
}

type Pinned = Pick<ResolvedLink, 'hash' | 'isNew' | 'takenUnixMs' | 'formatReason'>;

async function pin(link: DatasetLink, options: ResolveOptions): Promise<Pinned> {
  if (link.type === 'pinned') return old(link.hash, null);
  const { store, signal, format = null } = options;
  const { base } = link;
  if (link.type === 'plain') {
    const known = await knownSnapshot(base, options);
    if (known !== null) return known;
  }
  // Asked before the lock is taken: a mistyped link leaves no trace in the store.
  await locateInput(base, format, options.places, signal);
  options.onProgress?.({ phase: 'waiting', samples: 0 });
  const stopWatching = watched(link, options);
  try {
    return await store.withLock(intentOf(base, options), signal, async () => {
      await stopWatching();
      const known = link.type === 'plain' ? await knownSnapshot(base, options) : null;
      if (known !== null) return known;
      const { hash, formatReason } = await takeSnapshot(base, options);
      await store.setCurrent(intentOf(base, options), hash);
      return { hash, isNew: true, takenUnixMs: null, formatReason };
    });
  } finally {
    await stopWatching();
  }
}

/** Who waits for another resolver follows what that one lists, unless it will list anew by itself. */
function watched(
  link: Exclude<DatasetLink, { type: 'pinned' }>,
  options: ResolveOptions,
): StopWatching {
  const { store, clock, events, follower } = options;
  if (follower === undefined || link.type !== 'plain') return () => Promise.resolve();
  return watchAnnounced(intentOf(link.base, options), { store, clock, events, follower });
}

function old(hash: ManifestHash, takenUnixMs: number | null): Pinned {
  return { hash, isNew: false, takenUnixMs, formatReason: null };
}

/** The current snapshot of `base`, as long as the store still has its bytes. */
async function knownSnapshot(base: string, options: ResolveOptions): Promise<Pinned | null> {
  const { store, clock, events } = options;
  const current = await store.current(intentOf(base, options));
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
  return old(hash, sinceUnixMs);
}

async function takeSnapshot(
  base: string,
  options: ResolveOptions,
): Promise<Pick<Pinned, 'hash' | 'formatReason'>> {
  const { store, clock, events, signal, follower } = options;
  const startedAt = clock.nowMs();
  const tally: ShardTally = { ...emptyTally(), otherFiles: 0 };
  const onSamples = (samples: number): void => {
    options.onProgress?.({ phase: 'indexing', samples });
    announced.listed(samples);
  };
  await using announced = new Announcement(store, intentOf(base, options), follower);
  onSamples(0);
  const found = await locateInput(base, options.format ?? null, options.places, signal);
  await using stamps = await store.stampWriter();
  const how = { base, tally, stamps, onSamples, signal };
  const put =
    found.type === 'manifest'
      ? { ...(await putManifestFile(found, options, stamps, onSamples)), formatReason: null }
      : await putSamples(found, { ...options, ...how, follower: announced });
  const { hash, sampleCount, formatReason } = put;
  await stamps.keep(hash);
  if (sampleCount === 0) throw emptyManifest(base, hash);
  // While the stamps can still be read where they were gathered: the follower is never without.
  follower?.stored(await store.open(hash));
  onSamples(sampleCount);
  events.emit('info', 'snapshot_index_summary', {
    base,
    manifest_hash: hash,
    samples: sampleCount,
    skipped_entries: tally.skippedEntries,
    special_files: tally.specialFiles,
    link_loops: tally.linkLoops,
    other_files: tally.otherFiles,
    elapsed_ms: Math.round(elapsedMs(startedAt, clock.nowMs())),
  });
  const left = leftOutOf(tally);
  if (left !== null) events.emit('warn', 'entries_left_out', { base, ...left });
  return { hash, formatReason };
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
    const given = found.bytes ?? manifestFileBytes(found.path, places, signal);
    stored = await store.put(loose.watch(given));
  } catch (error) {
    if (!(error instanceof Mx8Error) || error.code !== 'manifest_invalid') throw error;
    // Who was asked for canonical bytes had to give them: others have another hash.
    if (found.bytes !== undefined) {
      const text = `The resolver of ${found.path} gave no canonical manifest. ${error.message}`;
      throw new Mx8Error('manifest_invalid', text, error.details, error);
    }
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
