/** Limits of the manifest codec. */

/**
 * Bytes of one line. The longest path of a Linux system has 4,096 bytes and signed URLs stay below
 * 16 KiB; a longer line is a file that is no manifest, refused before it fills the memory.
 */
export const MANIFEST_LINE_BYTES_MAX: number = 64 * 1024;

/**
 * Memory, as estimated, of records that came before their turn, while a manifest that is not sorted
 * is put in order. A manifest in order holds nothing. At the limit: sort it by sample_id first.
 */
export const MANIFEST_HELD_BYTES_MAX: number = 512 * 1024 * 1024;

/**
 * An index keeps the place of every 1024th record: 78 KB for 10 million samples, and a slice reads at
 * most that many lines too many at each end.
 */
export const MANIFEST_INDEX_STRIDE = 1024;
