/** Tells a follower of the listing that another process is taking, while this one waits for its lock. */
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import { NOTICE_INTERVAL_MS } from './limits.ts';
import type { SnapshotFollower } from './snapshot-follower.ts';

export interface WatchOptions {
  readonly store: ManifestStore;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly follower: SnapshotFollower;
}

/** Ends it; resolves when the follower hears nothing more. */
export type StopWatching = () => Promise<void>;

export function watchAnnounced(base: string, options: WatchOptions): StopWatching {
  const stop = new AbortController();
  const watching = watch(base, options, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return;
    // It is only read later then: when it is pinned.
    const reason = error instanceof Error ? error.message : String(error);
    options.events.emit('warn', 'listing_not_followed', { base, reason });
  });
  return async () => {
    stop.abort();
    await watching;
  };
}

async function watch(
  base: string,
  { store, clock, follower }: WatchOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const listing = (await store.announced?.(base)) ?? null;
    if (listing !== null && !signal.aborted) follower.heard(listing);
    await clock.sleep(NOTICE_INTERVAL_MS, signal);
  }
}
