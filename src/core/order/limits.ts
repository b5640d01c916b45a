/** Limits of orders. */

/** A shuffle buffer gives out its first sample when so many have come: half a page of a store's listing. */
export const SHUFFLE_START_SAMPLES = 512;

/** 48 bytes are kept of each block in a shuffle buffer: 480 MB at most. */
export const SHUFFLE_BUFFER_SAMPLES_MAX = 10_000_000;
