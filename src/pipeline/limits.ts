/** Limits of the pipeline. */

/** Beyond four threads the memory bus, not the threads, is the limit for local files. */
export const READER_THREADS_MAX = 4;

/**
 * Room in a slab beside the samples: for their alignment, and so that the end of the last file can be
 * seen (a read answers 0 only where it could have answered more).
 */
export const SLAB_SLACK_BYTES = 1024;

/** Shards are written in such pieces: where the first sample of one lies modulo this, the others lie too. */
export const SECTOR_BYTES = 512;

/** A file that grows faster than it can be read is given up after this many tries. */
export const MISFITS_MAX = 3;

/** A consumer that makes reads itself lets timers and sockets have their turn at least this often. */
export const TURN_MS = 2;
