/** Time spans of leadership between coordinators. */
import type { RetryBounds } from '../base/jitter.ts';

/** How long a leader leads without renewing: after a crash the next one serves within this and a bit. */
export const LEADER_TTL_MS_DEFAULT = 2000;

/** Renewals that fit into one TTL: two may be lost and the leader still leads. */
export const RENEWALS_PER_TTL = 4;

/**
 * The part of the TTL by which a leader stops early: its clock may run slower than the store's, and an
 * answer takes a moment on its way.
 */
export const DEADLINE_MARGIN_PART = 0.1;

/** Bounds of the wait after the store gave no answer, or a claim failed: others go first. */
export const CANDIDATE_RETRY: RetryBounds = { baseMs: 50, maxMs: 2000 };
