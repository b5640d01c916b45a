/** Limits of what is served over HTTP to people and to Prometheus. */

/** Whoever asks within this time gets the same look: however many ask, one is taken a second. */
export const LOOK_AGE_MS_MAX = 950;

/** A look that takes longer is not waited for where there is an older one. */
export const LOOK_WAIT_MS = 1500;

/** A look is taken this often without anybody asking, so that a page that is opened has a past to show. */
export const IDLE_LOOK_MS = 5000;

/** How often viewers are told of what changed. */
export const UPDATE_INTERVAL_MS = 1000;

/** Viewers at a time; further ones are told to come back. */
export const VIEWERS_MAX = 64;

/** A viewer that has so many bytes to read yet gets no further update until it has read. */
export const VIEWER_BACKLOG_BYTES_MAX: number = 512 * 1024;

/** Updates in a row that a viewer may miss that way before it is given up: a minute. */
export const MISSED_UPDATES_MAX = 60;

/** Connections at a time, viewers included. */
export const CONNECTIONS_MAX = 256;

export const HEADER_BYTES_MAX: number = 16 * 1024;
export const REQUEST_TIMEOUT_MS = 10_000;

/**
 * A connection that has not said what it wants after so long is closed, and looked at so often: those that say
 * nothing keep probes and Prometheus out for seconds, not for as long as Node looks by itself.
 */
export const HEADERS_TIMEOUT_MS = 4000;
export const CONNECTION_LOOK_MS = 1000;

/** Nodes with details in an update, those that need a look first; the others are counted. */
export const PAGE_NODES_MAX = 100;

/** Jobs in the list to choose from. */
export const PAGE_JOBS_MAX = 100;

/** Events in an update. */
export const PAGE_EVENTS_MAX = 60;

/** A standby that is further behind than this does not count as one that follows. */
export const STANDBY_LAG_ENTRIES_MAX = 10_000;

/** How often the lateness of the event loop is measured. */
export const LOOP_PROBE_MS = 500;

/** A loop that was late by more than this in the last probe is not well. */
export const LOOP_LAG_MS_MAX = 2000;

/** How often a standby that knows a leader asks it where its page is. */
export const LEADER_PAGE_RETRY_MS = 5000;
