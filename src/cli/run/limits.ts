/** Limits of what runs leave on a machine. */

/** The state of a finished run that nobody asked about for so long goes, when another begins. */
export const RUNS_KEEP_DAYS = 30;
/** What the states of all finished runs take; the latest day's stay in any case. */
export const RUNS_CAP_BYTES: number = 1024 ** 3;
