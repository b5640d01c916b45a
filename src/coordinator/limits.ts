/** Limits of the coordinator's shell. */

/** Commands that wait for the writer; at more, callers get `coordinator_unavailable` and try again. */
export const QUEUE_COMMANDS_MAX = 65_536;

/** Commands in one log entry: enough to share one sync, few enough that its bytes stay far below 64 MiB. */
export const BATCH_COMMANDS_MAX = 4096;

/** Records at which a batch is closed: one request for leases may make a thousand of them. */
export const BATCH_RECORDS_MAX = 16_384;

/** Entries after which a snapshot is taken: replaying so many takes well under a second. */
export const SNAPSHOT_ENTRIES = 20_000;

/**
 * Bytes of entries after which a snapshot is taken: about 200,000 records, replayed in half a second. A
 * snapshot larger than this waits for as many bytes as it has, so that at most half of what is written
 * is snapshots.
 */
export const SNAPSHOT_PAYLOAD_BYTES: number = 16 * 1024 ** 2;

/** Events of progress that one batch may log one by one; the rest are counted in one more. */
export const PROGRESS_EVENTS_PER_BATCH_MAX = 16;

/** How often leases are looked at for expiry. An expired lease is requeued within TTL + this. */
export const TICK_INTERVAL_MS_DEFAULT = 100;

/**
 * A tick this much late means that this process was paused, and with it every renewal that nodes sent:
 * all leases then get their full TTL again instead of expiring for our own silence.
 */
export const STALL_MS = 1000;

/** Committed pieces in one chunk of a stream. */
export const PIECES_PER_CHUNK = 4096;

/** Tries of an elected leader to claim the log; each may lose to one more entry of its predecessor. */
export const CLAIM_ATTEMPTS_MAX = 100;

/** How often a standby reads the log unasked: what a store that tells of nothing would be behind by. */
export const FOLLOW_INTERVAL_MS = 200;

/** How long who asks for the coordinators waits for the store: shorter than any screen or command waits. */
export const CANDIDATES_WAIT_MS = 700;

/** How long a coordinator that handed over answers on, to say where the new leader is. */
export const FAREWELL_MS = 500;

/**
 * What nodes get to leave before the sessions of a coordinator that handed over end: what ends while they
 * come to the new leader is work for both.
 */
export const FAREWELL_ANSWER_MS = 300;

/** Events kept for a page; it shows the last few dozen. */
export const RECENT_EVENTS_MAX = 200;

/** Parts of the sample space on the map of a page: as many as a phone can show as cells. */
export const MAP_CELLS = 240;

/** A lease whose cursors stand still for so long counts as stalled, unless said otherwise. */
export const LEASE_STALL_MS_DEFAULT = 10_000;
