/** Limits of the agent's side of a job: what each is for and what happens when it is reached. */

/** How often a node registers again while the membership barrier holds; what v0 clients do. */
export const BARRIER_POLL_MS = 200;

/** Tries to tell a coordinator that the job failed: about half a minute, then the node ends anyway. */
export const FAIL_TRIES_MAX = 20;

/** Shortest wait after an answer without leases, should a coordinator name none. */
export const REQUEST_WAIT_MIN_MS = 50;

/** How long a node id in use is asked for again before the TTL of the job is known. */
export const NODE_ID_BUSY_DEFAULT_MS = 10_000;
/** Added to the TTL: the coordinator frees the id only after the TTL has passed on its own clock. */
export const NODE_ID_BUSY_SLACK_MS = 2_000;

/** A tenth of the TTL, at most this, is left unused, for timers that fire late. */
export const LEASE_MARGIN_MAX_MS = 1_000;

/** Leases lost lately whose reported progress is remembered, so that it never goes back. */
export const LOST_LEASES_MAX = 1_024;

/** Crashes (or stalls) with one batch in hand after which the sample policy decides. */
export const CRASHES_PER_BATCH_MAX = 3;
/** The same for a batch of one sample of which a larger batch has already crashed that often. */
export const CRASHES_PER_SUSPECT_MAX = 2;
/** Starts in a row in which a worker does not get ready, after which the job fails. */
export const FAILED_STARTS_MAX = 3;

/**
 * How long a worker may go on with a lease that was taken away before it is killed, where the stall budget
 * is longer: nothing it does counts any more, and the work that its node holds waits for it. Long enough
 * for most batches to end, as a restart loads the job module anew.
 */
export const STOP_GRACE_MS = 10_000;

/** Longest wait before a worker that died is started again. */
export const RESTART_WAIT_MAX_MS = 2_000;

/** Part of the TTL kept unused: work on a lease stops this long before the lease runs out. */
export function leaseMarginMs(leaseTtlMs: number): number {
  return Math.min(leaseTtlMs / 10, LEASE_MARGIN_MAX_MS);
}

/** How long what is new of a lease waits for more. Its report renews it too: at least four go per usable lifetime. */
export function reportIntervalMs(progressIntervalMs: number, leaseTtlMs: number): number {
  return Math.min(progressIntervalMs, renewalIntervalMs(progressIntervalMs, leaseTtlMs));
}

/**
 * Leases that wait for their turn are renewed half as often as one that moves may be reported, and at least four times
 * per usable lifetime, so that three renewals may be lost and most of the time is left when no coordinator answers.
 */
export function renewalIntervalMs(progressIntervalMs: number, leaseTtlMs: number): number {
  return Math.min(2 * progressIntervalMs, (leaseTtlMs - leaseMarginMs(leaseTtlMs)) / 4);
}

/** Crashes while a lease makes no durable progress, wherever in it, after which the job fails. */
export const CRASHES_WITHOUT_PROGRESS_MAX = 10;

/** First wait before a worker that died twice without finishing a batch is started again. */
export const RESTART_WAIT_BASE_MS = 100;
