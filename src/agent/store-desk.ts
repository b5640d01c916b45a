/** The stores that the processes of an agent speak to: one report of all, and the shares of each. */
import type { MonoMs } from '../core/base/units.ts';
import { HostDesk } from '../core/transfer/host-desk.ts';
import { REPORT_HOSTS_MAX } from '../core/transfer/store-report.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';
import { StoreTraffic } from '../storage/http/store-traffic.ts';
import { STATS_INTERVAL_MS, WORKER_SHARE_TTL_MS } from './limits.ts';

/** The agent's own process, which publishes what has been committed; no worker is called that. */
const OWN = 'agent';

export class StoreDesk implements StoreSharer {
  readonly #clock: Clock;
  #timer: TimerHandle | null = null;
  readonly #hosts: Map<string, HostDesk> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What a process does at stores, and what it may do until it says so again. */
  heard(worker: string, reports: readonly StoreReport[]): readonly StoreShare[] {
    const nowMs = this.#clock.nowMs();
    for (const report of reports) this.#of(report.host).heard(worker, report, nowMs);
    const named = new Set(reports.map(({ host }) => host));
    const shares: StoreShare[] = [];
    for (const [host, desk] of this.#hosts) {
      // One that has rested for a while is reported no more; its share goes to the others.
      if (!named.has(host)) desk.forget(worker);
      // The agent itself does nothing at most of them: when it does, it says so, and has its share a moment later.
      const isAtRest = worker === OWN && !named.has(host);
      const share = isAtRest ? desk.nothingAt(nowMs) : desk.shareOf(worker, nowMs);
      if (share !== null) shares.push(share);
    }
    return shares;
  }

  /** For the agent's own process, which has a share as a worker has, until the desk is closed. */
  open(): StoreTraffic {
    const traffic = new StoreTraffic(this.#clock);
    const serve = (): void => {
      traffic.hear(this.heard(OWN, traffic.reports()), this.#clock.nowMs());
      this.#timer = this.#clock.setTimer(STATS_INTERVAL_MS, serve, { unref: true });
    };
    serve();
    return traffic;
  }

  close(): void {
    this.#timer?.clear();
  }

  /** The worker has ended. */
  gone(worker: string): void {
    for (const desk of this.#hosts.values()) desk.forget(worker);
  }

  reports(): readonly StoreReport[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#hosts.values()]
      .filter(({ isIdle }) => !isIdle)
      .map((desk) => desk.report(nowMs))
      .sort((a, b) => b.wanted - a.wanted)
      .slice(0, REPORT_HOSTS_MAX);
  }

  hear(shares: readonly StoreShare[], askedMs: MonoMs): void {
    const nowMs = this.#clock.nowMs();
    const named = new Map(shares.map((share) => [share.host, share]));
    for (const [host, share] of named) this.#of(host).share.hear(share, askedMs, nowMs);
    for (const [host, desk] of this.#hosts) {
      if (named.has(host)) continue;
      if (desk.isIdle) this.#hosts.delete(host);
      else desk.share.hear(null, askedMs, nowMs);
    }
  }

  #of(host: string): HostDesk {
    let desk = this.#hosts.get(host);
    if (desk === undefined) {
      desk = new HostDesk(host, STATS_INTERVAL_MS, WORKER_SHARE_TTL_MS);
      this.#hosts.set(host, desk);
    }
    return desk;
  }
}
