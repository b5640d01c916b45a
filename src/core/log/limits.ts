/**
 * Limits of the log on a key-value store. etcd with its default settings takes requests of up to 1.5 MiB
 * and transactions of up to 128 operations.
 */

/** Bytes of one part of a payload or snapshot that is split: with its key well below 1.5 MiB. */
export const PART_BYTES: number = 1024 ** 2;

/** Bytes of a payload up to which it stands in its slot; a larger one goes to parts first. */
export const INLINE_BYTES_MAX: number = 256 * 1024;

/** Slots read at a time: with payloads as large as they get, 16 MiB. */
export const PAGE_SLOTS = 64;

/** Parts read at a time: 4 MiB. */
export const PAGE_PARTS = 4;

/** Slots deleted at a time, so that no deletion holds up the store for long. */
export const DELETED_SLOTS_MAX = 1024;

/** Bytes of entries after which a page that is being followed ends; at least one entry is given. */
export const FOLLOWED_BYTES: number = 4 * 1024 ** 2;
