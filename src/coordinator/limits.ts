/** Limits of the coordinator's shell. */

/** Commands that wait for the writer; at more, callers get `coordinator_unavailable` and try again. */
export const QUEUE_COMMANDS_MAX = 65_536;

/** Commands in one log entry: enough to share one sync, few enough that its bytes stay far below 64 MiB. */
export const BATCH_COMMANDS_MAX = 4096;

/** Entries after which a snapshot is taken: replaying so many takes well under a second. */
export const SNAPSHOT_ENTRIES = 20_000;

/** Bytes of entries after which a snapshot is taken. */
export const SNAPSHOT_PAYLOAD_BYTES: number = 64 * 1024 ** 2;

/** How often leases are looked at for expiry. An expired lease is requeued within TTL + this. */
export const TICK_INTERVAL_MS_DEFAULT = 100;

/**
 * A tick this much late means that this process was paused, and with it every renewal that nodes sent:
 * all leases then get their full TTL again instead of expiring for our own silence.
 */
export const STALL_MS = 1000;

/** About this many bytes of manifest in one chunk of a stream. */
export const MANIFEST_CHUNK_BYTES: number = 1024 ** 2;

/** Committed pieces in one chunk of a stream. */
export const PIECES_PER_CHUNK = 4096;

/** Most samples in one manifest slice: a lease's block is far smaller. */
export const MANIFEST_SLICE_SAMPLES_MAX = 1_048_576;
