/** Limits of the pipeline. */

/** Beyond four threads the memory bus, not the threads, is the limit for local files. */
export const READER_THREADS_MAX = 4;

/**
 * Room in a slab beside the samples: for their alignment, and so that the end of the last file can be
 * seen (a read answers 0 only where it could have answered more).
 */
export const SLAB_SLACK_BYTES = 1024;

/**
 * Where samples start in a slab. Copying from the page cache falls to a fifth of its speed where
 * source and destination differ by a few bytes modulo 4096; large allocations start 16 bytes into a
 * page. So samples start about half a sector further than where they come from, in multiples of 16.
 */
export const SLAB_START_BYTES = 240;
export const SECTOR_BYTES = 512;

/** A file that grows faster than it can be read is given up after this many tries. */
export const MISFITS_MAX = 3;

/** A consumer that makes reads itself lets timers and sockets have their turn at least this often. */
export const TURN_MS = 2;
