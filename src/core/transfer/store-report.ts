/**
 * What processes that speak to stores and whoever divides the requests between them say to each other: an
 * agent and its coordinator, a worker process and its agent.
 */

/**
 * One host, as one process (or all of an agent together) has found it. Totals count from the start of the
 * process, so that a report that is lost, or comes twice, does no harm.
 */
export interface StoreReport {
  /** Scheme, name and port. */
  readonly host: string;
  /**
   * Most requests that were under way, waited for their turn or, having been refused, to be sent again, at a
   * time since the last report.
   */
  readonly wanted: number;
  /** Under way now. */
  readonly inFlight: number;
  /** Mean of the requests under way since the last report that were not refused; thousandths. */
  readonly servingMilli: number;
  readonly answeredTotal: number;
  /** Answers 429 and 503; not among `answeredTotal`. */
  readonly refusedTotal: number;
  /** Until the answers began, microseconds; but for those of `untimedTotal`. */
  readonly firstByteUsTotal: number;
  /** Of `answeredTotal` those whose time says nothing of the host: to writes, heads and listings. */
  readonly untimedTotal: number;
  /** What the host still asks to wait (`Retry-After`); 0: nothing. */
  readonly pauseMs: number;
  /** The share that the process goes by; null: none, it goes by what it finds out itself. */
  readonly share: number | null;
}

/** What a process may do at one host until it hears otherwise. */
export interface StoreShare {
  readonly host: string;
  /** Requests in flight. 0: none until the next answer. */
  readonly requests: number;
  /** Nothing is to be asked for so long. */
  readonly pauseMs: number;
  /** How long the share holds, counted from before it was asked for. */
  readonly ttlMs: number;
}

/** Hosts of one report: the busiest. Others go by what each process finds out. */
export const REPORT_HOSTS_MAX = 16;
/** Longest name of a host with its scheme and port. */
export const HOST_CHARS_MAX = 300;

/** Names of hosts go into logs, metrics and screens. */
export function isHost(text: string): boolean {
  return text.length <= HOST_CHARS_MAX && /^[\x21-\x7e]+$/.test(text);
}
