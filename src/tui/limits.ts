/** Limits of the operator's screen. */

/** Below this there is no room for a list under the header; the screen says so instead. */
export const COLUMNS_MIN = 30;
export const ROWS_MIN = 8;

/** From this height on the header has room for the reason and the remedy on lines of their own. */
export const TALL_HEADER_ROWS_MIN = 18;

/** Terminals beyond this are drawn on in part: a frame stays some hundred kilobytes. */
export const COLUMNS_MAX = 500;
export const ROWS_MAX = 300;

/** Events kept; older ones are forgotten. An hour of a busy job, and a fraction of a megabyte. */
export const EVENTS_MAX = 1000;

/** Names in one event; the others are counted, so that a thousand nodes joining is one line. */
export const NAMES_MAX = 3;

/** Rows of a manifest that are fetched together: several screens, and 30 kB of paths. */
export const PAGE_ROWS = 256;

/** Pages kept: scrolling back is free, and 16,384 rows are a few megabytes. */
export const PAGES_MAX = 64;

/** Rows that a search asks for at a time: the screen answers to keys in between. */
export const SEARCH_ROWS = 16_384;

/** Longest text of a prompt; no path of Linux is longer. */
export const PROMPT_CHARACTERS_MAX = 4096;

/** How long an escape byte waits for the rest of its sequence before it counts as the key Esc. */
export const ESCAPE_WAIT_MS = 50;

/** Ages on the screen are drawn anew at least this often. */
export const REDRAW_MS = 1000;

/** How soon after one poll the next may follow, for what has come into sight. */
export const HURRY_MS = 100;

/** Up to so many leases are asked for whole: a jump anywhere shows them at once, for 40 kB a poll. */
export const WHOLE_LEASES_MAX = 500;

/** Rows of a list in a printed block; `--json` has all. */
export const PRINTED_ROWS_MAX = 20;

/** Rows of the manifest in a printed block unless --rows-per-page says otherwise. */
export const PRINTED_MANIFEST_ROWS = 5;

/**
 * A manifest that could not be read is asked for again so often: each try may have the coordinator hash
 * the whole file.
 */
export const MANIFEST_RETRY_MS = 10_000;
