/** Limits of the wire. */

/** Most bytes of one message, both ways, unless the option says otherwise. Fixed by the contract. */
export const MESSAGE_BYTES_MAX_DEFAULT: number = 64 * 1024 ** 2;

/** What a message holds besides its payload: field tags, lengths, small fields. */
export const MESSAGE_OVERHEAD_BYTES = 1024;

/** About this many bytes of manifest in one chunk of a stream, as the contract says. */
export const MANIFEST_CHUNK_BYTES: number = 1024 ** 2;

/** Samples whose lines share one chunk of a slice: about 1 MiB at usual lengths of paths. */
export const SAMPLES_PER_CHUNK = 8192;

/** Most samples in one slice of a manifest: far more than a block, far less than fills a memory. */
export const SLICE_SAMPLES_MAX = 1_048_576;

/**
 * Requests of one session that wait for their answer. At more the coordinator stops reading from it, and
 * the sender's own flow control holds it back.
 */
export const SESSION_REQUESTS_MAX = 1024;

/** Messages of a session that are sent as one: together far below the cap, and their cost well shared. */
export const SESSION_BATCH_MESSAGES_MAX = 256;

/**
 * A coordinator that leaves tells its sessions so a few at a time, this many of them at least and the last after
 * so many intervals: the next leader has answered the first nodes before the last ones come.
 */
export const AWAY_SESSIONS_MIN = 5;
export const AWAY_INTERVALS_MAX = 20;
export const AWAY_INTERVAL_MS = 8;

/** Within this time a coordinator that does not lead any more has ended its sessions, or their nodes do. */
export const SESSION_LEFT_MS = 1000;

/** Calls of one client that wait for their answer; at more it refuses with `coordinator_unavailable`. */
export const CLIENT_REQUESTS_MAX = 4096;

/** How long a client waits for any one answer. A lease lives as long, so no later answer is of use. */
export const CALL_TIMEOUT_MS_DEFAULT = 10_000;

/**
 * How long a connection may take until its first answer, before the next address is tried: at first, and
 * after all have failed again and again. The longest leaves room for another try within a call's time.
 */
export const CONNECT_TIMEOUT_MS_MIN = 2000;
export const CONNECT_TIMEOUT_MS_MAX = 8000;

/**
 * How long a coordinator may owe answers and say nothing before a client goes elsewhere: longer than a
 * pause that its own clock forgives, shorter than a third of the lease TTL.
 */
export const SILENCE_MS = 3000;

/** Bounds of the wait before the next attempt to connect; a fraction of it is drawn each time. */
export const BACKOFF_MS_MIN = 50;
export const BACKOFF_MS_MAX = 1000;

/**
 * Connections that a client with a session keeps open to coordinators that do not lead, so that it is with
 * the next leader at once: those of the usual three candidates. Each costs either side some 50 KiB.
 */
export const SPARES_MAX = 2;

/**
 * Before spares are connected, at most; a part of it is drawn. Who has just found the leader has better
 * things to do, and so has the leader.
 */
export const SPARE_DELAY_MS_MAX = 1000;

/**
 * Bounds of the wait before a spare connection that was lost is tried again; it grows from try to try. In a
 * rolling restart the next leader is one that was started a moment ago.
 */
export const SPARE_RETRY_MS_MIN = 400;
export const SPARE_RETRY_MS_MAX = 1000;

/** HTTP/2 pings tell a peer that is gone (cut off, not closed) after the sum of these. */
export const KEEPALIVE_INTERVAL_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;

/** What calls in flight get to end when the server stops; with everything else it stays below 1 s. */
export const SHUTDOWN_GRACE_MS = 300;

/** Calls in flight on one connection; a client queues further ones. As many as our own client ever has. */
export const CONNECTION_CALLS_MAX: number = CLIENT_REQUESTS_MAX;

/**
 * Megabytes that one connection may hold in queues; at more its new calls are refused until they are
 * fewer. A few answers of the largest size fit.
 */
export const CONNECTION_MEMORY_MB_MAX = 512;

/**
 * Characters of a status's sentence that are sent; the rest is cut. Sentences quote what was asked, and
 * peers refuse long headers: 8 KiB of them is the smallest limit in use.
 */
export const STATUS_MESSAGE_CHARS_MAX = 2000;

/** How often a guest looks whether there is something to say of stores: so late its first share may be asked for. */
export const GUEST_LOOK_MS = 100;
/** A guest that was not answered asks again after so long. */
export const GUEST_RETRY_MS = 1000;
/**
 * One that nobody has answered for so long has no part of a budget any more: no other coordinator takes over from the
 * one that it knew. Fail-overs take less.
 */
export const GUEST_ALONE_MS = 60_000;
