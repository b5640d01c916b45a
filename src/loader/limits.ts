/** Limits and defaults of the reading library. */

/** Samples that stay together when shuffling: long enough to be read in one go from a shard. */
export const BLOCK_SIZE_DEFAULT = 256;

/** Samples in a shuffle buffer: 5 MB of memory, a hundred pages of a store's listing. */
export const SHUFFLE_BUFFER_SIZE_DEFAULT = 100_000;

/** Records that are picked out of a manifest at a time, of a buffer that is full: two megabytes of them. */
export const STREAM_RECORDS_AT_ONCE = 8192;

/** How often a node says what it has finished with, as `MX8_PROGRESS_INTERVAL_MS`. */
export const PROGRESS_INTERVAL_MS_DEFAULT = 500;

/** Leases a node may hold; the coordinator's own limit. */
export const WANT_MAX = 1024;

/** Records of a lease are fetched about so many at a time: 10 MiB of them in memory. */
export const LEASE_RECORDS_PER_FETCH = 65_536;

/** How long a loader that ends waits for the coordinator to take its last reports and its leases back. */
export const LEAVE_WAIT_MS = 1_500;

/** Batches that are in use are released sooner; waiting for longer than this is a program that waits for itself. */
export const KEPT_STALL_MS = 5_000;

/** The next records of a pinned data set are taken when fewer than so many are left: several batches as a rule. */
export const RECORDS_AHEAD = 2048;
