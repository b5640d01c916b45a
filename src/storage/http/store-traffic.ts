/** All requests of this process to stores, by host; whoever reads from one host shares what may be in flight there. */
import type { MonoMs } from '../../core/base/units.ts';
import { HostTraffic } from '../../core/transfer/host-traffic.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import { REPORT_HOSTS_MAX } from '../../core/transfer/store-report.ts';
import type { StoreReport, StoreShare } from '../../core/transfer/store-report.ts';
import type { Clock, TimerHandle } from '../../ports/clock.ts';
import type { StoreSharer } from '../../ports/store-sharer.ts';
import { retryAfterOf } from './retry-after.ts';

/** Data sets on the web may lie on more hosts than anybody counts: those that rest longest are forgotten. */
const HOSTS_MAX = 1024;

export class StoreTraffic implements StoreSharer {
  readonly #clock: Clock;
  readonly #hosts: Map<string, HostFlow> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(host: string): HostFlow {
    let flow = this.#hosts.get(host);
    if (flow === undefined) {
      if (this.#hosts.size >= HOSTS_MAX) this.#forgetIdle();
      flow = new HostFlow(this.#clock);
      this.#hosts.set(host, flow);
    }
    return flow;
  }

  reports(): readonly StoreReport[] {
    const nowMs = this.#clock.nowMs();
    const busy = [...this.#hosts].filter(([, { traffic }]) => !traffic.isIdleAt(nowMs));
    return busy
      .map(([host, { traffic }]) => traffic.report(host, nowMs))
      .sort((a, b) => b.wanted - a.wanted)
      .slice(0, REPORT_HOSTS_MAX);
  }

  hear(shares: readonly StoreShare[], askedMs: MonoMs): void {
    const named = new Map(shares.map((share) => [share.host, share]));
    for (const [host, share] of named) this.of(host).hear(share, askedMs);
    for (const [host, flow] of this.#hosts) if (!named.has(host)) flow.hear(null, askedMs);
  }

  #forgetIdle(): void {
    const nowMs = this.#clock.nowMs();
    for (const [host, { isUsed, traffic }] of this.#hosts) {
      if (!isUsed && traffic.isIdleAt(nowMs)) this.#hosts.delete(host);
    }
  }
}

/** The host has too much to do. */
export function isThrottling({ status }: ResponseHead): boolean {
  return status === 429 || status === 503;
}

/** One host of them; tells those who wait when they may go on. */
export class HostFlow {
  readonly traffic: HostTraffic = new HostTraffic();
  readonly #clock: Clock;
  readonly #waiting: Set<() => void> = new Set();
  #timer: TimerHandle | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody would send requests through it. */
  get isUsed(): boolean {
    return this.#waiting.size > 0;
  }

  /** `goOn` is called when a request may have become possible, until the returned function is called. */
  join(goOn: () => void): () => void {
    this.#waiting.add(goOn);
    return () => {
      this.#waiting.delete(goOn);
      if (this.#waiting.size === 0) this.#timer?.clear();
    };
  }

  /** Whether one more request may be sent; whoever is told no is told when that changes. */
  mayStart(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.traffic.mayStart(nowMs)) return true;
    const changeMs = this.traffic.nextChangeMs(nowMs);
    if (changeMs !== null && this.#timer === null) {
      const waitMs = Math.max(1, Math.ceil(changeMs - nowMs));
      this.#timer = this.#clock.setTimer(waitMs, () => this.#wake(), { unref: true });
    }
    return false;
  }

  waits(requests: number): void {
    this.traffic.waits(requests);
  }

  started(): void {
    this.traffic.started(this.#clock.nowMs());
  }

  answered(firstByteMs: number, head: ResponseHead): void {
    if (!isThrottling(head)) this.traffic.answered(firstByteMs);
    else this.traffic.refused(this.#clock.nowMs(), firstByteMs, retryAfterOf(head, this.#clock));
  }

  ended(): void {
    this.traffic.ended(this.#clock.nowMs());
    for (const goOn of this.#waiting) goOn();
  }

  hear(share: StoreShare | null, askedMs: MonoMs): void {
    this.traffic.share.hear(share, askedMs, this.#clock.nowMs());
    this.#wake();
  }

  #wake(): void {
    this.#timer?.clear();
    this.#timer = null;
    for (const goOn of this.#waiting) goOn();
  }
}
