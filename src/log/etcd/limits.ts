/** Limits of etcd as it comes, and of our calls to it. */

/** Most bytes of one request, etcd's --max-request-bytes unless changed: 1.5 MiB. More is refused. */
export const ETCD_REQUEST_BYTES_MAX: number = 1.5 * 1024 * 1024;

/** Most operations in one transaction, etcd's --max-txn-ops unless changed. More are refused. */
export const ETCD_TRANSACTION_OPERATIONS_MAX = 128;

/** How long a call may take in all, attempts at several members included. */
export const CALL_TIMEOUT_MS_DEFAULT = 5000;

/**
 * How long one member may take to answer. Long enough for an election of etcd's leader at its usual
 * settings, during which a write waits; short enough to leave time for another member.
 */
export const ATTEMPT_TIMEOUT_MS_DEFAULT = 2500;

/** How long each member may take to say how it is, before anything is started. */
export const CHECK_TIMEOUT_MS = 3000;

/** How long a connection may take, TLS included, before the next member is asked. */
export const CONNECT_TIMEOUT_MS = 1000;

/** The wait after every member of the list was asked once in vain. */
export const ROUND_PAUSE_MS = 100;

/** A watch asks its member this often for a sign of life … */
export const WATCH_PROGRESS_INTERVAL_MS = 2000;
/** … and goes to another when nothing came for this long. */
export const WATCH_SILENCE_MS_MAX = 5000;

/** The longest pause of a watch that finds nobody to watch for it; the first is `ROUND_PAUSE_MS`. */
export const WATCH_PAUSE_MS_MAX = 1000;

/** How long grpc-js waits before it connects again to a member that was not there. */
export const RECONNECT_MS_MIN = 100;
export const RECONNECT_MS_MAX = 1000;

/** HTTP/2 pings; etcd closes connections that ping more often than every 5 s. */
export const KEEPALIVE_INTERVAL_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 3000;

/**
 * Bytes that one client writes until it has etcd forget what was overwritten and deleted before: far
 * below etcd's usual quota of 2 GiB, and enough history for a watch that was away for a while.
 */
export const COMPACT_AFTER_BYTES_DEFAULT: number = 64 * 1024 ** 2;
