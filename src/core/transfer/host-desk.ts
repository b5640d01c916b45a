/**
 * One host, as all processes of an agent together speak to it: what they say is one report of the agent, and
 * the share of the agent is divided among them. Times are milliseconds of one monotonic clock.
 */
import { FairShares } from './fair-shares.ts';
import { HeldShare } from './held-share.ts';
import type { StoreReport, StoreShare } from './store-report.ts';

export class HostDesk {
  readonly share: HeldShare = new HeldShare();
  readonly #host: string;
  readonly #shareTtlMs: number;
  readonly #shares: FairShares;
  readonly #workers: Map<string, { readonly report: StoreReport; readonly heardMs: number }> =
    new Map();
  #answeredTotal: number = 0;
  #refusedTotal: number = 0;
  #firstByteUsTotal: number = 0;
  #untimedTotal: number = 0;

  /** Every worker reports about once in `reportMs`. */
  constructor(host: string, reportMs: number, shareTtlMs: number) {
    this.#host = host;
    this.#shareTtlMs = shareTtlMs;
    this.#shares = new FairShares(reportMs);
  }

  heard(worker: string, report: StoreReport, nowMs: number): void {
    const last = this.#workers.get(worker)?.report;
    const more = (
      of: 'answeredTotal' | 'refusedTotal' | 'firstByteUsTotal' | 'untimedTotal',
    ): number => Math.max(0, report[of] - (last?.[of] ?? 0));
    this.#answeredTotal += more('answeredTotal');
    this.#refusedTotal += more('refusedTotal');
    this.#firstByteUsTotal += more('firstByteUsTotal');
    this.#untimedTotal += more('untimedTotal');
    this.#workers.set(worker, { report, heardMs: nowMs });
    this.#shares.wish(worker, report, nowMs, this.#shareTtlMs);
  }

  /** The worker's part until it asks again; null: the agent has no share that it could give of. */
  shareOf(worker: string, nowMs: number): StoreShare | null {
    const budget = this.share.requestsAt(nowMs);
    if (budget === null) return null;
    const ttlMs = this.#shareTtlMs;
    const requests = this.#shares.ask(worker, budget, nowMs, ttlMs);
    return { host: this.#host, requests, pauseMs: Math.ceil(this.share.pauseMsAt(nowMs)), ttlMs };
  }

  /** Of a process that does nothing there, while the agent has a share that others can use. */
  nothingAt(nowMs: number): StoreShare | null {
    if (this.share.requestsAt(nowMs) === null) return null;
    return { host: this.#host, requests: 0, pauseMs: 0, ttlMs: this.#shareTtlMs };
  }

  /** The worker has ended, and its requests with it; or it does nothing there any more. */
  forget(worker: string): void {
    this.#workers.delete(worker);
    this.#shares.forget(worker);
  }

  /** No worker speaks to it. */
  get isIdle(): boolean {
    return this.#workers.size === 0;
  }

  report(nowMs: number): StoreReport {
    let [wanted, inFlight, servingMilli, pauseMs] = [0, 0, 0, 0];
    for (const { report, heardMs } of this.#workers.values()) {
      wanted += report.wanted;
      inFlight += report.inFlight;
      servingMilli += report.servingMilli;
      pauseMs = Math.max(pauseMs, Math.round(report.pauseMs - (nowMs - heardMs)));
    }
    return {
      ...{ host: this.#host, wanted, inFlight, servingMilli, pauseMs },
      answeredTotal: this.#answeredTotal,
      refusedTotal: this.#refusedTotal,
      firstByteUsTotal: this.#firstByteUsTotal,
      untimedTotal: this.#untimedTotal,
      share: this.share.requestsAt(nowMs),
    };
  }
}
