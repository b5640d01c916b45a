/**
 * The runbook as rules: what is looked at, what it says, which section of `docs/runbook.md` applies, what
 * to type next and what should then be seen. Pure: `mx8 doctor` collects the evidence and prints.
 */

/** Headings of `docs/runbook.md`; a test holds the two together. */
export const SECTIONS = {
  heartbeat: 'Stale heartbeat',
  lease: 'Lease stall',
  slow: 'Slow node',
  manifest: 'Manifest fetch failure',
  memory: 'RSS breach and memory pressure',
  coordinator: 'Coordinator failure and fail-over',
  job: 'A job that does not get on',
  setup: 'Misconfiguration',
} as const;

export type Section = keyof typeof SECTIONS;

/**
 * - `ok`: looked at, nothing to do.
 * - `notice`: worth knowing; mx8 goes on, or heals it by itself.
 * - `problem`: somebody has to do something.
 * - `unknown`: could not be looked at.
 */
export type FindingStatus = 'ok' | 'notice' | 'problem' | 'unknown';

export interface Finding {
  readonly check: string;
  readonly section: Section;
  readonly status: FindingStatus;
  /** A sentence. */
  readonly found: string;
  /** Commands to paste, in order; empty when there is nothing to do. */
  readonly run: readonly string[];
  /** What should be seen after that; '' when there is nothing to do. */
  readonly expect: string;
}

export function fine(check: string, section: Section, found: string): Finding {
  return { check, section, status: 'ok', found, run: [], expect: '' };
}

/** The worst that was found decides. */
export function worstOf(findings: readonly Finding[]): FindingStatus {
  const order: readonly FindingStatus[] = ['problem', 'unknown', 'notice', 'ok'];
  return order.find((status) => findings.some((one) => one.status === status)) ?? 'ok';
}
