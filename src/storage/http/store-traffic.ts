/** All requests of this process to stores, by host; whoever speaks to one host shares what may be in flight there. */
import type { MonoMs } from '../../core/base/units.ts';
import { HostTraffic } from '../../core/transfer/host-traffic.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import { REPORT_HOSTS_MAX } from '../../core/transfer/store-report.ts';
import type { StoreReport, StoreShare } from '../../core/transfer/store-report.ts';
import { TurnOrder } from '../../core/transfer/turn-order.ts';
import type { RequestKind } from '../../core/transfer/turn-order.ts';
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

/** Requests of one kind of one client, as the host's flow sees them. */
export interface FlowMember {
  readonly kind: RequestKind;
  /** One of them would begin now, were it for this client alone. */
  readonly canGo: boolean;
  go(): void;
}

/** One host of them: gives turns to those who wait, in `TurnOrder`, and among clients around the circle. */
export class HostFlow {
  readonly traffic: HostTraffic = new HostTraffic();
  readonly #clock: Clock;
  readonly #order: TurnOrder = new TurnOrder();
  /** Who had a turn last is at the end. */
  readonly #members: Set<FlowMember> = new Set();
  #timer: TimerHandle | null = null;
  #wakesMs: number = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody would send requests through it. */
  get isUsed(): boolean {
    return this.#members.size > 0;
  }

  /** It is told to go when a request has become possible, until the returned function is called. */
  join(member: FlowMember): () => void {
    this.#members.add(member);
    return () => {
      this.#members.delete(member);
      if (this.#members.size > 0) return;
      this.#timer?.clear();
      this.#timer = null;
    };
  }

  /** Whether one more request may be sent; whoever is told no is told when that changes. */
  mayStart(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.traffic.mayStart(nowMs)) return true;
    const changeMs = this.traffic.nextChangeMs(nowMs);
    if (changeMs !== null && (this.#timer === null || changeMs < this.#wakesMs)) {
      this.#timer?.clear();
      this.#wakesMs = changeMs;
      const waitMs = Math.max(1, Math.ceil(changeMs - nowMs));
      this.#timer = this.#clock.setTimer(waitMs, () => this.#wake(), { unref: true });
    }
    return false;
  }

  waits(requests: number): void {
    this.traffic.waits(requests);
  }

  started(kind: RequestKind): void {
    this.traffic.started(this.#clock.nowMs());
    this.#order.started(kind, this.#next(kind === 'range' ? 'other' : 'range') !== null);
  }

  /** `tookMs` after its request; see `Slot`. */
  answered(tookMs: number, isTimed: boolean, head: ResponseHead): void {
    if (!isThrottling(head)) this.traffic.answered(isTimed ? tookMs : null);
    else this.traffic.refused(this.#clock.nowMs(), tookMs, retryAfterOf(head, this.#clock));
  }

  ended(kind: RequestKind): void {
    this.traffic.ended(this.#clock.nowMs());
    this.#order.ended(kind);
    this.#serve();
  }

  hear(share: StoreShare | null, askedMs: MonoMs): void {
    this.traffic.share.hear(share, askedMs, this.#clock.nowMs());
    this.#wake();
  }

  #wake(): void {
    this.#timer?.clear();
    this.#timer = null;
    this.#serve();
  }

  #serve(): void {
    for (let next = this.#first(); next !== null && this.mayStart(); next = this.#first()) {
      next.go();
      // Unless it has left.
      if (this.#members.delete(next)) this.#members.add(next);
    }
  }

  #first(): FlowMember | null {
    const [range, other] = [this.#next('range'), this.#next('other')];
    if (range === null || other === null) return range ?? other;
    return this.#order.next === 'range' ? range : other;
  }

  #next(kind: RequestKind): FlowMember | null {
    for (const member of this.#members) if (member.kind === kind && member.canGo) return member;
    return null;
  }
}
