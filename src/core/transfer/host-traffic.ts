/**
 * The requests of one process to one host: what is under way and what came of it. Besides what the process
 * finds out by itself (`host-limit.ts`) it keeps to the share that it holds of them, if there is one. Times
 * are milliseconds of one monotonic clock.
 */
import { HeldShare } from './held-share.ts';
import { RETRY_AFTER_MS_MAX } from './retry-budget.ts';
import type { StoreReport } from './store-report.ts';

/** A mean over less than this says nothing: the one before it stands. */
const MEAN_MS_MIN = 40;
/** After so long without a request a host is not reported any more. */
const IDLE_MS = 30_000;
/**
 * A turn that was refused is not given to the next in line for so long: one turn too many would otherwise go
 * through all who wait, and each be refused.
 */
const REFUSED_TURN_MS = 250;

export class HostTraffic {
  readonly share: HeldShare = new HeldShare();
  inFlight: number = 0;
  waiting: number = 0;
  #mostWanted: number = 0;
  #answeredTotal: number = 0;
  #refusedTotal: number = 0;
  #firstByteUsTotal: number = 0;
  #untimedTotal: number = 0;
  /** Sum over all requests that were not refused of the time that they were under way. */
  #servedMs: number = 0;
  #countedMs: number = 0;
  /** When a request was begun or ended last. */
  #changedMs: number = -Infinity;
  #reported: { servedMs: number; atMs: number; servingMilli: number } | null = null;
  /** When turns that were refused are free again, earliest first. */
  readonly #refusedUntilMs: number[] = [];
  /** The host's own wish. */
  #askedToWaitUntilMs: number = -Infinity;

  mayStart(nowMs: number): boolean {
    const requests = this.share.requestsAt(nowMs);
    if (requests === null) return true;
    while ((this.#refusedUntilMs[0] ?? Infinity) <= nowMs) this.#refusedUntilMs.shift();
    const taken = this.inFlight + this.#refusedUntilMs.length;
    return taken < requests && this.share.pauseMsAt(nowMs) === 0;
  }

  /** When `mayStart` may become true by itself; null: it does not. */
  nextChangeMs(nowMs: number): number | null {
    const shareMs = this.share.nextChangeMs(nowMs);
    const [turnMs] = this.#refusedUntilMs;
    if (turnMs === undefined || this.share.requestsAt(nowMs) === null) return shareMs;
    return Math.min(turnMs, shareMs ?? Infinity);
  }

  /** Nothing is under way, and nothing was for a while. */
  isIdleAt(nowMs: number): boolean {
    return this.inFlight + this.waiting === 0 && nowMs - this.#changedMs >= IDLE_MS;
  }

  /** `requests` more are waiting for their turn; less where it is negative. */
  waits(requests: number): void {
    this.waiting += requests;
    this.#see();
  }

  started(nowMs: number): void {
    this.#pass(nowMs);
    this.inFlight += 1;
    this.#see();
  }

  ended(nowMs: number): void {
    this.#pass(nowMs);
    this.inFlight -= 1;
  }

  /** Null: how long it took says nothing of the host. */
  answered(firstByteMs: number | null): void {
    this.#answeredTotal += 1;
    if (firstByteMs === null) this.#untimedTotal += 1;
    else this.#firstByteUsTotal += Math.round(firstByteMs * 1000);
  }

  /** 429 or 503, `tookMs` after the request, which is still counted as under way. */
  refused(nowMs: number, tookMs: number, retryAfterMs: number): void {
    this.#refusedTotal += 1;
    this.#servedMs -= tookMs;
    const waitMs = Math.min(retryAfterMs, RETRY_AFTER_MS_MAX);
    this.#askedToWaitUntilMs = Math.max(this.#askedToWaitUntilMs, nowMs + waitMs);
    const requests = this.share.requestsAt(nowMs) ?? 0;
    if (this.#refusedUntilMs.length < requests) {
      this.#refusedUntilMs.push(nowMs + REFUSED_TURN_MS);
    }
  }

  /** What `host` is to this process since the last report. */
  report(host: string, nowMs: number): StoreReport {
    this.#count(nowMs);
    const wanted = Math.max(this.#mostWanted, this.inFlight + this.waiting);
    this.#mostWanted = this.inFlight + this.waiting;
    return {
      host,
      wanted,
      inFlight: this.inFlight,
      servingMilli: this.#servingMilli(nowMs),
      answeredTotal: this.#answeredTotal,
      refusedTotal: this.#refusedTotal,
      firstByteUsTotal: this.#firstByteUsTotal,
      untimedTotal: this.#untimedTotal,
      pauseMs: Math.max(0, Math.round(this.#askedToWaitUntilMs - nowMs)),
      share: this.share.requestsAt(nowMs),
    };
  }

  #servingMilli(nowMs: number): number {
    const last = this.#reported;
    const spanMs = last === null ? 0 : nowMs - last.atMs;
    if (last !== null && spanMs < MEAN_MS_MIN) return last.servingMilli;
    const servingMilli =
      last === null
        ? this.inFlight * 1000
        : Math.max(0, Math.round(((this.#servedMs - last.servedMs) / spanMs) * 1000));
    this.#reported = { servedMs: this.#servedMs, atMs: nowMs, servingMilli };
    return servingMilli;
  }

  #see(): void {
    this.#mostWanted = Math.max(this.#mostWanted, this.inFlight + this.waiting);
  }

  #pass(nowMs: number): void {
    this.#count(nowMs);
    this.#changedMs = nowMs;
  }

  #count(nowMs: number): void {
    this.#servedMs += this.inFlight * Math.max(0, nowMs - this.#countedMs);
    this.#countedMs = nowMs;
  }
}
