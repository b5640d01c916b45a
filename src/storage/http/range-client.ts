/**
 * Reads ranges over HTTP for as long as it takes: what breaks is gone on with at the byte where it broke, what
 * is throttled waits, and what is wrong is told by its name. One client holds the connections of a process.
 */
import { Mx8Error } from '../../core/base/errors.ts';
import { elapsedMs } from '../../core/base/units.ts';
import type { MonoMs } from '../../core/base/units.ts';
import { etagTag } from '../../core/transfer/etag-tag.ts';
import type { HostLimitBounds } from '../../core/transfer/host-limit.ts';
import { normalEtag, parseContentRange } from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import { RETRY_LIMITS, RetryBudget } from '../../core/transfer/retry-budget.ts';
import type { RetryLimits } from '../../core/transfer/retry-budget.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import type { ObjectRange, ObjectStat } from '../../ports/place.ts';
import type { Random } from '../../ports/random.ts';
import type { Authority, RangeRequest } from './authority.ts';
import { BodyCursor } from './body-cursor.ts';
import { HostGate } from './host-gate.ts';
import { hedged } from './hedge.ts';
import type { Turn } from './host-gate.ts';
import { Lane } from './lane.ts';
import type { Origin } from './origin.ts';
import type { Exchange } from './range-connection.ts';
import { SOCKETS_MAX } from './plain-request.ts';
import { retryAfterOf } from './retry-after.ts';
import { StallWatch } from './stall-watch.ts';
import { isThrottling, StoreTraffic } from './store-traffic.ts';
import { tellOfRetry } from './tell-of-retry.ts';

export interface HttpSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly retry?: RetryLimits;
  readonly hostLimit?: HostLimitBounds;
  /** Of the whole process, where what it may do is shared with others. Default: the client's own. */
  readonly traffic?: StoreTraffic;
  /** How long a connection may go without a byte. */
  readonly stallMs?: number;
}

/** What was learned is tried at once; who learns the same again and again is sent around in a circle. */
const AGAIN_AT_ONCE_MAX = 6;
/** Nonsense may come from a proxy that is being restarted; after so many times it is what the store says. */
const INVALID_ANSWERS_MAX = 3;
/** Heads, listings and writes of a client: all at once until a host refuses. */
const OTHER_REQUESTS: HostLimitBounds = { start: SOCKETS_MAX, min: 1, max: SOCKETS_MAX };

export class RangeClient {
  readonly surroundings: HttpSurroundings;
  readonly #gates: Map<string, HostGate> = new Map();
  readonly #lanes: Map<string, Lane> = new Map();
  readonly #traffic: StoreTraffic;
  readonly #watch: StallWatch;

  constructor(surroundings: HttpSurroundings) {
    this.surroundings = surroundings;
    this.#traffic = surroundings.traffic ?? new StoreTraffic(surroundings.clock);
    this.#watch = new StallWatch(surroundings.clock, surroundings.stallMs, () =>
      this.#gates.values(),
    );
  }

  /** Fills the targets of the range; resolves with what the object is. */
  async read(
    location: string,
    range: ObjectRange,
    authority: Authority,
    signal?: AbortSignal,
  ): Promise<ObjectStat> {
    const fetch = new RangeFetch(this, location, range, authority, signal);
    return fetch.run();
  }

  gate(origin: Origin): HostGate {
    let gate = this.#gates.get(origin.text);
    if (gate === undefined) {
      const flow = this.#traffic.of(origin.text);
      gate = new HostGate(origin, flow, this.surroundings.hostLimit);
      this.#gates.set(origin.text, gate);
    }
    this.#watch.start();
    return gate;
  }

  /** Those who wait for turns there with anything but ranges. */
  lane(origin: Origin): Lane {
    let lane = this.#lanes.get(origin.text);
    if (lane === undefined) {
      lane = new Lane('other', this.#traffic.of(origin.text), OTHER_REQUESTS);
      this.#lanes.set(origin.text, lane);
    }
    return lane;
  }

  close(): void {
    this.#watch.stop();
    for (const gate of this.#gates.values()) gate.close();
    for (const lane of this.#lanes.values()) lane.close();
    this.#gates.clear();
    this.#lanes.clear();
  }
}

/** Why a range is not complete yet, and whether that takes time. */
interface Setback {
  readonly why: string;
  readonly waits: boolean;
  readonly retryAfterMs: number;
  readonly busyGate?: HostGate | undefined;
}

class RangeFetch {
  readonly #client: RangeClient;
  readonly #location: string;
  readonly #range: ObjectRange;
  readonly #authority: Authority;
  readonly #signal: AbortSignal | undefined;
  readonly #cursor: BodyCursor;
  readonly #budget: RetryBudget;
  /** Of the first answer: what goes on later must be the same object. */
  #stat: ObjectStat | null = null;
  #changed: Mx8Error | null = null;
  #invalid: number = 0;
  #again: number = 0;

  constructor(
    client: RangeClient,
    location: string,
    range: ObjectRange,
    authority: Authority,
    signal: AbortSignal | undefined,
  ) {
    this.#client = client;
    this.#location = location;
    this.#range = range;
    this.#authority = authority;
    this.#signal = signal;
    this.#cursor = new BodyCursor(range.targets);
    const { retry, clock } = client.surroundings;
    this.#budget = new RetryBudget(retry ?? RETRY_LIMITS, clock.nowMs());
  }

  async run(): Promise<ObjectStat> {
    for (;;) {
      this.#signal?.throwIfAborted();
      const before = this.#cursor.received;
      const outcome = await this.#try();
      if (this.#changed !== null) throw this.#changed;
      if (outcome === null) return this.#stat ?? { bytes: -1, etag: '' };
      if (this.#cursor.received > before) this.#budget.progressed(this.#nowMs());
      if (!outcome.waits) continue;
      // Whoever waits since the host has too much to do still wants a turn there.
      const leave = outcome.busyGate?.sitOut();
      await this.#wait(outcome.why, outcome.retryAfterMs).finally(leave);
    }
  }

  /** Null when the range is complete; else why it is not. Throws what trying again cannot mend. */
  async #try(): Promise<Setback | null> {
    const request = await this.#authority.rangeRequest(this.#location);
    const gate = this.#client.gate(request.origin);
    const { clock } = this.#client.surroundings;
    const first = await gate.turn(this.#signal);
    const { turn, exchange } = await hedged(clock, gate, first, (mine, onHead) =>
      this.#exchange(mine, request, onHead),
    );
    switch (exchange.type) {
      case 'done':
        return null;
      case 'broken': {
        this.#signal?.throwIfAborted();
        if (exchange.cause instanceof Mx8Error) throw exchange.cause;
        // One that was closed while it idled says nothing about the host.
        const { isReused, hasBytes } = turn.connection;
        const isStale = isReused && !hasBytes;
        if (!isStale) turn.refused();
        return { why: exchange.why, waits: !isStale, retryAfterMs: 0 };
      }
      case 'invalid':
        this.#invalid += 1;
        if (this.#invalid > INVALID_ANSWERS_MAX) throw this.#nonsense(exchange.why);
        return { why: exchange.why, waits: true, retryAfterMs: 0 };
      case 'answered':
        return this.#judge(gate, turn, request, exchange);
      default:
        return exchange satisfies never;
    }
  }

  async #exchange(turn: Turn, request: RangeRequest, begun: () => void): Promise<Exchange> {
    const { connection } = turn;
    const sentAtMs = this.#nowMs();
    const abort = (): void => connection.giveUp('it was cancelled');
    this.#signal?.addEventListener('abort', abort, { once: true });
    try {
      return await connection.exchange({
        text: this.#text(request),
        cursor: this.#cursor,
        accept: (head) => this.#accept(head),
        onHead: (head) => {
          turn.answered(elapsedMs(sentAtMs, this.#nowMs()), head);
          begun();
        },
      });
    } finally {
      this.#signal?.removeEventListener('abort', abort);
    }
  }

  #text({ origin, target, headers }: RangeRequest): string {
    const { start, end } = this.#range;
    const lines = [
      `GET ${target} HTTP/1.1`,
      `Host: ${origin.authority}`,
      `Range: bytes=${start + this.#cursor.received}-${end - 1}`,
      ...(headers.some(([name]) => name === 'accept-encoding')
        ? []
        : ['Accept-Encoding: identity']),
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ];
    return `${lines.join('\r\n')}\r\n\r\n`;
  }

  /** Whether the body is what is missing of the range. */
  #accept(head: ResponseHead): boolean | string {
    const { start, end, pinnedBytes } = this.#range;
    const from = start + this.#cursor.received;
    if (head.status === 200) {
      // A server that knows no ranges: the whole object is fine where it was asked for.
      const bytes = Number(head.headers.get('content-length') ?? -1);
      if (from !== 0) return this.#noRanges(bytes);
      if (bytes !== end) {
        if (pinnedBytes !== -1 && bytes !== -1 && bytes !== pinnedBytes)
          return this.#sees(bytes, head);
        return this.#noRanges(bytes);
      }
      return this.#sees(bytes, head);
    }
    if (head.status !== 206) return false;
    const range = parseContentRange(head.headers.get('content-range'));
    if (range === null) return 'its content-range is missing or no range of bytes';
    const said = this.#sees(range.total, head);
    if (said !== true) return said;
    if (range.start === from && range.end === end) return true;
    return `it is about bytes ${range.start} to ${range.end} where ${from} to ${end} were asked for`;
  }

  #noRanges(bytes: number): string {
    return `it is the whole object (${bytes} bytes) where bytes ${this.#range.start} to ${this.#range.end} were asked for: the server knows no ranges`;
  }

  /** Compares the object with the pinned one, and with what the first part of the range came from. */
  #sees(bytes: number, head: ResponseHead): boolean | string {
    const etag =
      this.#authority.etagOf?.(this.#location, head) ?? normalEtag(head.headers.get('etag'));
    const { pinnedTag, pinnedBytes } = this.#range;
    if (pinnedBytes !== -1 && bytes !== -1 && bytes !== pinnedBytes) {
      this.#changed = this.#changedError(
        `it has ${bytes} bytes, and had ${pinnedBytes} when it was pinned`,
      );
    } else if (pinnedTag !== 0 && etag !== '' && etagTag(etag) !== pinnedTag) {
      this.#changed = this.#changedError(
        `its ETag is ${etag} now, which is not that of the pinned object`,
      );
    } else if (this.#stat !== null && etag !== this.#stat.etag) {
      this.#changed = this.#changedError('it was replaced while it was read');
    }
    if (this.#changed !== null) return 'it is another object';
    this.#stat ??= { bytes, etag };
    return true;
  }

  async #judge(
    gate: HostGate,
    turn: Turn,
    { ticket }: RangeRequest,
    { head, body }: Extract<Exchange, { type: 'answered' }>,
  ): Promise<Setback> {
    if (head.status === 416) {
      throw this.#changedError(`it has no bytes ${this.#range.start} to ${this.#range.end}`);
    }
    const verdict = await this.#authority.judge(this.#location, head, body, ticket);
    if (verdict.type === 'error') throw verdict.error;
    if (verdict.type === 'again') {
      this.#again += 1;
      return { why: verdict.why, waits: this.#again > AGAIN_AT_ONCE_MAX, retryAfterMs: 0 };
    }
    turn.refused();
    const { clock } = this.#client.surroundings;
    const busyGate = isThrottling(head) ? gate : undefined;
    return { why: verdict.why, waits: true, retryAfterMs: retryAfterOf(head, clock), busyGate };
  }

  async #wait(why: string, leastMs: number): Promise<void> {
    const { clock, random, events, retry = RETRY_LIMITS } = this.#client.surroundings;
    const failures = this.#budget.failures + 1;
    const waitMs = this.#budget.waitMs(clock.nowMs(), random.fraction(), leastMs);
    if (waitMs === null) throw this.#unavailable(why, failures);
    tellOfRetry(this.#budget, { clock, events, retry }, { location: this.#location, why, waitMs });
    await clock.sleep(waitMs, this.#signal);
  }

  #nowMs(): MonoMs {
    return this.#client.surroundings.clock.nowMs();
  }

  #at(): string {
    return `byte ${this.#range.start + this.#cursor.received} of ${this.#location}`;
  }

  #details(): Record<string, string | number> {
    return { location: this.#location, byte_offset: this.#range.start + this.#cursor.received };
  }

  #changedError(how: string): Mx8Error {
    return new Mx8Error(
      'object_changed',
      `${this.#location} changed: ${how}. Restore the object, or resolve the link again with @refresh.`,
      this.#details(),
    );
  }

  #unavailable(why: string, failures: number): Mx8Error {
    const { retry } = this.#client.surroundings;
    const seconds = Math.round((retry ?? RETRY_LIMITS).budgetMs / 1000);
    return new Mx8Error(
      'object_store_unavailable',
      `Could not read on at ${this.#at()} for ${seconds} s (${failures} tries without a byte): ${why}.`,
      this.#details(),
    );
  }

  #nonsense(why: string): Mx8Error {
    return new Mx8Error(
      'object_answer_invalid',
      `The answer to a request for ${this.#at()} cannot be used: ${why}.`,
      this.#details(),
    );
  }
}
